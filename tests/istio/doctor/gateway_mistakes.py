"""What operators get wrong around our filters: coverage, routes, the cluster."""

from collections.abc import Callable

from istio.doctor.envoys import Document, http_filter, manager
from istio.doctor.mutating import (
    HTTP,
    TYPE,
    Mistake,
    all_of,
    another_route,
    clustering,
    managing,
    on_the_route,
    setting,
    unreached_route,
    without,
)
from server.authority import Authority


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
GUARD_OPEN = GUARD_OFF | {
    "rbac": {"rules": {"policies": {"all": {"permissions": [{"any": True}], "principals": [{"any": True}]}}}}
}
BOTH_OFF = {"extproc__policy": EXT_PROC_OFF, "extproc__request_guard": GUARD_OFF}
FAIL_OPEN = {"@type": f"{HTTP}.ext_proc.v3.ExtProcPerRoute", "overrides": {"failure_mode_allow": True}}
HTTP_OPTIONS = ("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
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

UPSTREAM_TLS = f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
TRUSTED_CA = {"trusted_ca": {"inline_string": Authority().root.decode()}}


def over_tls(**common: object) -> Callable[[Document], None]:
    """TLS to the server, with this in its common context."""
    config = {"@type": UPSTREAM_TLS, "common_tls_context": common}
    return clustering("transport_socket", to={"name": "envoy.transport_sockets.tls", "typed_config": config})


RAW = {
    "name": "envoy.transport_sockets.raw_buffer",
    "typed_config": {"@type": f"{TYPE}.extensions.transport_sockets.raw_buffer.v3.RawBuffer"},
}
ADDRESS = ("load_assignment", "endpoints", 0, "lb_endpoints", 0, "endpoint", "address", "socket_address", "address")
far_away = clustering(*ADDRESS, to="192.0.2.1")


def naming_the_route(name: str) -> Callable[[Document], None]:
    return managing("route_config", "virtual_hosts", 0, "routes", 0, "name", to=name)


def on_one_of_two_clusters(one: Document) -> None:
    action = manager(one["listener"])["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    off = {"extproc.policy": EXT_PROC_OFF, "extproc.request_guard": GUARD_OFF}
    part = {"name": action.pop("cluster"), "weight": 1}
    action["weighted_clusters"] = {"clusters": [{**part, "typed_per_filter_config": off}, part]}


def off_at(*path: str | int) -> Callable[[Document], None]:
    off = {"extproc.policy": EXT_PROC_OFF, "extproc.request_guard": GUARD_OFF}
    return managing("route_config", *path, "typed_per_filter_config", to=off)


GATEWAY_MISTAKES = {
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
        '.routes[0].typed_per_filter_config["extproc.policy"]',
        all_of(another_route, on_the_route(extproc__policy=EXT_PROC_OFF, extproc__request_guard=GUARD_OFF)),
    ),
    "a route excluded by FilterConfig": Mistake(
        "route_excluded",
        '.routes[0].typed_per_filter_config["extproc.policy"]',
        all_of(another_route, on_the_route(extproc__policy=OFF, extproc__request_guard=OFF)),
    ),
    "a route excluded by name": Mistake(
        "route_excluded_as_meant",
        '.routes[0].typed_per_filter_config["extproc.policy"]',
        all_of(another_route, on_the_route(**BOTH_OFF), naming_the_route("health")),
    ),
    "a route excluded by name and host": Mistake(
        "route_excluded_as_meant",
        '.routes[0].typed_per_filter_config["extproc.policy"]',
        all_of(another_route, on_the_route(**BOTH_OFF), naming_the_route("of-one-host")),
    ),
    "a route excluded of a host that is not named": Mistake(
        "route_excluded",
        '.routes[0].typed_per_filter_config["extproc.policy"]',
        all_of(another_route, on_the_route(**BOTH_OFF), naming_the_route("of-another-host")),
    ),
    "the only route excluded by name": Mistake(
        "route_excluded_as_meant",
        '.routes[0].typed_per_filter_config["extproc.policy"]',
        all_of(on_the_route(**BOTH_OFF), naming_the_route("health")),
    ),
    "a part of the only route excluded": Mistake(
        "route_excluded", '.clusters[0].typed_per_filter_config["extproc.policy"]', on_one_of_two_clusters
    ),
    "all routes excluded": Mistake("host_excluded", ".virtual_hosts[0]", on_the_route(**BOTH_OFF)),
    "the route that takes all excluded": Mistake(
        "host_excluded", ".virtual_hosts[0]", all_of(unreached_route, on_the_route(**BOTH_OFF))
    ),
    "a host excluded": Mistake(
        "host_excluded",
        '.virtual_hosts[0].typed_per_filter_config["extproc.policy"]',
        all_of(naming_the_route("health"), off_at("virtual_hosts", 0)),
    ),
    "all hosts excluded": Mistake("host_excluded", '.route_config.typed_per_filter_config["extproc.policy"]', off_at()),
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
    "a route with a guard of its own": Mistake(
        "route_override",
        '.typed_per_filter_config["extproc.request_guard"]',
        on_the_route(extproc__request_guard=GUARD_OPEN),
    ),
    "a route that is too quick": Mistake(
        "route_timeout",
        ".route.timeout",
        managing("route_config", "virtual_hosts", 0, "routes", 0, "route", "timeout", to="2s"),
    ),
    "routes from elsewhere": Mistake(
        "routes_unseen", ".rds", all_of(managing("route_config", to=None), managing("rds", to=SCOPED))
    ),
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
    "another server": Mistake("cluster_other", ".grpc_service.envoy_grpc.cluster_name", lambda _one: None),
    "raw bytes to another machine": Mistake(
        "processor_plaintext", ".transport_socket", all_of(far_away, clustering("transport_socket", to=RAW))
    ),
    "plaintext to another machine": Mistake(
        "processor_plaintext",
        ".transport_socket",
        far_away,
    ),
    "any certificate": Mistake("server_unverified", ".common_tls_context.validation_context", over_tls()),
    "every certificate of the CA": Mistake(
        "server_unverified",
        ".validation_context.match_typed_subject_alt_names",
        over_tls(validation_context=TRUSTED_CA),
    ),
    "every certificate of a CA from SDS": Mistake(
        "server_unverified",
        ".default_validation_context.match_typed_subject_alt_names",
        over_tls(
            combined_validation_context={
                "default_validation_context": TRUSTED_CA,
                "validation_context_sds_secret_config": {
                    "name": "ca",
                    "sds_config": {"path_config_source": {"path": "/dev/null"}, "initial_fetch_timeout": "0.001s"},
                },
            }
        ),
    ),
}
