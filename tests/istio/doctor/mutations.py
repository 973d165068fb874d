"""What operators get wrong in one listener or in the processor's cluster, with the finding that must name it.

Each is applied to what `render` writes; a real Envoy takes all of them.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from istio.doctor.envoys import Document, http_filter, manager, policy

TYPE = "type.googleapis.com/envoy"
HTTP = f"{TYPE}.extensions.filters.http"


@dataclass(frozen=True)
class Mistake:
    """`finding` is made true by `mutate`, at a place that ends in `place`."""

    finding: str
    place: str
    mutate: Callable[[Document], None]


def setting(*path: str | int, to: object) -> Callable[[Document], None]:
    """Set a field of ext_proc's configuration."""

    def mutate(one: Document) -> None:
        _set(policy(one["listener"]), path, to)

    return mutate


def managing(*path: str | int, to: object) -> Callable[[Document], None]:
    """Set a field of the connection manager."""

    def mutate(one: Document) -> None:
        _set(manager(one["listener"]), path, to)

    return mutate


def listening(*path: str | int, to: object) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        _set(one["listener"], path, to)

    return mutate


def clustering(*path: str | int, to: object) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        _set(one["cluster"], path, to)

    return mutate


def _set(place: dict, path: tuple[str | int, ...], value: object) -> None:
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value


def without(name: str) -> Callable[[Document], None]:
    """Take an HTTP filter out."""

    def mutate(one: Document) -> None:
        manager(one["listener"])["http_filters"].remove(http_filter(one["listener"], name))

    return mutate


def moved(name: str, position: int) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        filters, each = manager(one["listener"])["http_filters"], http_filter(one["listener"], name)
        filters.remove(each)
        filters.insert(position, each)

    return mutate


def inserted(position: int, name: str, kind: str, **config: object) -> Callable[[Document], None]:
    """Put an HTTP filter before the one at this position."""

    def mutate(one: Document) -> None:
        added = {"name": name, "typed_config": {"@type": f"{HTTP}.{kind}", **config}}
        manager(one["listener"])["http_filters"].insert(position, added)

    return mutate


def on_the_route(**entries: Document) -> Callable[[Document], None]:
    """Per-route configuration by filter, `extproc__policy` for `extproc.policy`."""

    def mutate(one: Document) -> None:
        host = manager(one["listener"])["route_config"]["virtual_hosts"][0]
        host["routes"][0]["typed_per_filter_config"] = {
            name.replace("__", "."): entry for name, entry in entries.items()
        }

    return mutate


def renamed(name: str) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        http_filter(one["listener"], "extproc.policy")["name"] = name

    return mutate


def twice(one: Document) -> None:
    filters = manager(one["listener"])["http_filters"]
    filters.insert(2, copy.deepcopy(filters[2]))


def all_of(*mutations: Callable[[Document], None]) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        for each in mutations:
            each(one)

    return mutate


def as_istio_watches(one: Document) -> None:
    """By the exchanges' own fate; Envoy refuses a gRPC health check over HTTP/1.1."""
    del one["cluster"]["health_checks"]
    one["cluster"]["outlier_detection"] = {}


def passthrough(one: Document) -> None:
    proxy = {"@type": f"{TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "p"}
    filters = [{"name": "tcp", "typed_config": {**proxy, "cluster": "upstream"}}]
    one["listener"]["default_filter_chain"] = {"filters": filters}


OFF = {"@type": f"{TYPE}.config.route.v3.FilterConfig", "disabled": True}
EXT_PROC_OFF = {"@type": f"{HTTP}.ext_proc.v3.ExtProcPerRoute", "disabled": True}
GUARD_OFF = {"@type": f"{HTTP}.rbac.v3.RBACPerRoute"}
FAIL_OPEN = {"@type": f"{HTTP}.ext_proc.v3.ExtProcPerRoute", "overrides": {"failure_mode_allow": True}}
HTTP_OPTIONS = ("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
BUFFER = "per_connection_buffer_limit_bytes"
JWT = {
    "providers": {
        "p": {
            "issuer": "i",
            "remote_jwks": {"http_uri": {"uri": "http://127.0.0.1/keys", "cluster": "upstream", "timeout": "1s"}},
        }
    }
}
ALL_MODES = ("processing_mode",)
LUA = {"default_source_code": {"inline_string": "function envoy_on_request(handle) end"}}
SCOPED = {
    "route_config_name": "elsewhere",
    "config_source": {
        "initial_fetch_timeout": "0.001s",
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "GRPC",
            "transport_api_version": "V3",
            "grpc_services": [{"envoy_grpc": {"cluster_name": "upstream"}}],
        },
    },
}

MISTAKES = {
    "fail open": Mistake("failure_mode_allow", ".failure_mode_allow", setting("failure_mode_allow", to=True)),
    "observe only": Mistake("verdict_ignored", ".observability_mode", setting("observability_mode", to=True)),
    "no denials": Mistake(
        "verdict_ignored", ".disable_immediate_response", setting("disable_immediate_response", to=True)
    ),
    "request body not sent": Mistake(
        "request_mode", ".processing_mode.request_body_mode", setting(*ALL_MODES, "request_body_mode", to="NONE")
    ),
    "request body streamed": Mistake(
        "request_mode", ".processing_mode.request_body_mode", setting(*ALL_MODES, "request_body_mode", to="STREAMED")
    ),
    "request headers skipped": Mistake(
        "request_mode", ".processing_mode.request_header_mode", setting(*ALL_MODES, "request_header_mode", to="SKIP")
    ),
    "request trailers by default": Mistake(
        "request_mode", ".processing_mode.request_trailer_mode", setting(*ALL_MODES, "request_trailer_mode", to=None)
    ),
    "response body in part": Mistake(
        "response_mode",
        ".processing_mode.response_body_mode",
        setting(*ALL_MODES, "response_body_mode", to="BUFFERED_PARTIAL"),
    ),
    "response headers skipped": Mistake(
        "response_mode", ".processing_mode.response_header_mode", setting(*ALL_MODES, "response_header_mode", to="SKIP")
    ),
    "any override": Mistake("mode_override", ".allowed_override_modes", setting("allow_mode_override", to=True)),
    "an override that is never sent": Mistake(
        "mode_override",
        ".allow_mode_override",
        all_of(
            setting("allow_mode_override", to=True),
            setting("allowed_override_modes", to=[{"request_body_mode": "NONE"}]),
        ),
    ),
    "short time-out": Mistake("message_timeout", ".message_timeout", setting("message_timeout", to="0.2s")),
    "time-out by default": Mistake("message_timeout", ".message_timeout", setting("message_timeout", to=None)),
    "verdict dropped": Mistake(
        "receiving_namespaces",
        ".metadata_options.receiving_namespaces",
        setting("metadata_options", "receiving_namespaces", to=None),
    ),
    "claims not forwarded": Mistake(
        "forwarding_namespaces",
        ".metadata_options.forwarding_namespaces",
        all_of(
            inserted(0, "envoy.filters.http.jwt_authn", "jwt_authn.v3.JwtAuthentication", **JWT),
            setting("metadata_options", "forwarding_namespaces", to=None),
        ),
    ),
    "no code details": Mistake(
        "code_details", ".response_attributes", setting("response_attributes", to=["response.code", "response.flags"])
    ),
    "any header may change": Mistake(
        "mutation_rules", ".mutation_rules", setting("mutation_rules", to={"allow_all_routing": True})
    ),
    "a field dropped": Mistake("differs_from_render", ".status_on_error", setting("status_on_error", to=None)),
    "a field added": Mistake(
        "differs_from_render", ".deferred_close_timeout", setting("deferred_close_timeout", to="9s")
    ),
    "no request guard": Mistake("request_guard_missing", ".http_filters", without("extproc.request_guard")),
    "no response guard": Mistake("response_guard_missing", ".http_filters", without("extproc.response_guard")),
    "client headers kept": Mistake("client_headers_kept", ".http_filters", without("extproc.strip_client_headers")),
    "a guard that only counts": Mistake(
        "guard_altered",
        ".http_filters[3].typed_config",
        lambda one: http_filter(one["listener"], "extproc.request_guard")["typed_config"].update(shadow_rules={}),
    ),
    "the request guard first": Mistake("filter_order", ".http_filters[0]", moved("extproc.request_guard", 0)),
    "the response guard behind": Mistake("filter_order", ".http_filters[2]", moved("extproc.response_guard", 2)),
    "authentication behind": Mistake(
        "filter_order",
        ".http_filters[3]",
        inserted(3, "envoy.filters.http.jwt_authn", "jwt_authn.v3.JwtAuthentication", **JWT),
    ),
    "a decompressor behind": Mistake(
        "filter_order",
        ".http_filters[4]",
        inserted(
            4,
            "unzip",
            "decompressor.v3.Decompressor",
            decompressor_library={
                "name": "gzip",
                "typed_config": {"@type": f"{TYPE}.extensions.compression.gzip.decompressor.v3.Gzip"},
            },
        ),
    ),
    "a script behind": Mistake("changed_behind", ".http_filters[4]", inserted(4, "script", "lua.v3.Lua", **LUA)),
    "Istio's name": Mistake("filter_name", ".http_filters[2].name", renamed("envoy.filters.http.ext_proc")),
    "another name": Mistake("filter_name", ".http_filters[2].name", renamed("mine")),
    "applied twice": Mistake("filter_name", ".http_filters[3].name", twice),
    "another filter writes the verdict": Mistake(
        "verdict_forgeable",
        ".metadata_namespace",
        inserted(
            1,
            "forger",
            "set_metadata.v3.Config",
            metadata=[{"metadata_namespace": "extproc", "value": {"request": "allow"}, "allow_overwrite": True}],
        ),
    ),
    "a filter that is off": Mistake(
        "filter_disabled",
        ".http_filters[3].disabled",
        lambda one: http_filter(one["listener"], "extproc.request_guard").update(disabled=True),
    ),
    "not attached here": Mistake("unfiltered", ".typed_config", without("extproc.policy")),
    "an upgrade around it": Mistake(
        "unfiltered",
        ".upgrade_configs[0]",
        lambda one: manager(one["listener"])["upgrade_configs"][0].update(
            filters=[manager(one["listener"])["http_filters"][-1]]
        ),
    ),
    "passthrough": Mistake("tcp_passthrough", ".default_filter_chain", passthrough),
    "a route excluded": Mistake(
        "route_excluded",
        '.typed_per_filter_config["extproc.policy"]',
        on_the_route(extproc__policy=EXT_PROC_OFF, extproc__request_guard=GUARD_OFF),
    ),
    "a route excluded by FilterConfig": Mistake(
        "route_excluded",
        '.typed_per_filter_config["extproc.policy"]',
        on_the_route(extproc__policy=OFF, extproc__request_guard=OFF),
    ),
    "a route half excluded": Mistake(
        "route_half_excluded",
        '.typed_per_filter_config["extproc.policy"]',
        on_the_route(extproc__policy=EXT_PROC_OFF),
    ),
    "a route without its guard": Mistake(
        "route_half_excluded",
        '.typed_per_filter_config["extproc.request_guard"]',
        on_the_route(extproc__request_guard=GUARD_OFF),
    ),
    "a route that fails open": Mistake(
        "route_override", '.typed_per_filter_config["extproc.policy"]', on_the_route(extproc__policy=FAIL_OPEN)
    ),
    "a route that is too quick": Mistake(
        "route_timeout",
        ".route.timeout",
        managing("route_config", "virtual_hosts", 0, "routes", 0, "route", "timeout", to="2s"),
    ),
    "routes from elsewhere": Mistake(
        "routes_unseen", ".rds", all_of(managing("route_config", to=None), managing("rds", to=SCOPED))
    ),
    "a small buffer": Mistake("buffer_limit", f".{BUFFER}", listening(BUFFER, to=(1 << 20) + (64 << 10) - 1)),
    "the buffer by default": Mistake("buffer_limit", f".{BUFFER}", listening(BUFFER, to=None)),
    "a large buffer": Mistake("buffer_beyond_server", f".{BUFFER}", listening(BUFFER, to=4 << 20)),
    "100-continue": Mistake("expect_continue", ".proxy_100_continue", managing("proxy_100_continue", to=True)),
    "no request time-out": Mistake("timeouts", ".request_timeout", managing("request_timeout", to=None)),
    "no idle time-out": Mistake("timeouts", ".stream_idle_timeout", managing("stream_idle_timeout", to="0s")),
    "a redirect to any host": Mistake("open_redirect", ".merge_slashes", managing("merge_slashes", to=None)),
    "escaped slashes": Mistake(
        "request_line",
        ".path_with_escaped_slashes_action",
        managing("path_with_escaped_slashes_action", to="KEEP_UNCHANGED"),
    ),
    "underscores": Mistake(
        "request_line",
        ".headers_with_underscores_action",
        managing("common_http_protocol_options", "headers_with_underscores_action", to=None),
    ),
    "dot segments": Mistake("request_line", ".normalize_path", managing("normalize_path", to=False)),
    "an unknown cluster": Mistake(
        "cluster_missing",
        ".grpc_service.envoy_grpc.cluster_name",
        setting("grpc_service", "envoy_grpc", "cluster_name", to="nowhere"),
    ),
    "HTTP/1.1 to us": Mistake(
        "cluster_http1",
        ".explicit_http_config",
        all_of(as_istio_watches, clustering(*HTTP_OPTIONS, "explicit_http_config", to={"http_protocol_options": {}})),
    ),
    "the client's protocol to us": Mistake(
        "cluster_http1",
        ".use_downstream_protocol_config",
        all_of(
            as_istio_watches,
            clustering(*HTTP_OPTIONS, "explicit_http_config", to=None),
            clustering(*HTTP_OPTIONS, "use_downstream_protocol_config", to={"http2_protocol_options": {}}),
        ),
    ),
    "no protocol to us": Mistake(
        "cluster_http1",
        ".typed_extension_protocol_options",
        all_of(as_istio_watches, clustering(HTTP_OPTIONS[0], to=None)),
    ),
    "1,024 at a time": Mistake(
        "circuit_breakers", ".circuit_breakers.thresholds", clustering("circuit_breakers", to=None)
    ),
    "few waiting": Mistake(
        "circuit_breakers",
        ".circuit_breakers.thresholds",
        clustering("circuit_breakers", "thresholds", 0, "max_pending_requests", to=1024),
    ),
    "no health check": Mistake("no_health_check", ".health_checks", clustering("health_checks", to=None)),
    "plaintext to another machine": Mistake(
        "processor_plaintext",
        ".transport_socket",
        clustering(
            *("load_assignment", "endpoints", 0, "lb_endpoints", 0, "endpoint", "address", "socket_address", "address"),
            to="192.0.2.1",
        ),
    ),
}
