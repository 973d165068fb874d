"""What operators get wrong in our filters, and in their order."""

from collections.abc import Callable

from istio.doctor.envoys import Document, http_filter, manager
from istio.doctor.mutating import (
    HTTP,
    TYPE,
    Mistake,
    all_of,
    clustering,
    inserted,
    moved,
    on_the_route,
    renamed,
    setting,
    twice,
    without,
)

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

HTTP_OPTIONS = ("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
UPSTREAM_FILTERS = [
    {"name": "script", "typed_config": {"@type": f"{HTTP}.lua.v3.Lua", **LUA}},
    {"name": "codec", "typed_config": {"@type": f"{HTTP}.upstream_codec.v3.UpstreamCodec"}},
]


def of_the_router(one: Document) -> None:
    router = http_filter(one["listener"], "envoy.filters.http.router")
    router["typed_config"]["upstream_http_filters"] = UPSTREAM_FILTERS


def wrapped_behind(kind: str, **config: object) -> Callable[[Document], None]:
    """Skipped where a header says so, which makes it no other filter."""
    header = {"@type": f"{TYPE}.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": "x-skip"}
    skip = {"@type": f"{TYPE}.extensions.filters.common.matcher.action.v3.SkipFilter"}
    matcher = {
        "predicate": {
            "single_predicate": {"input": {"name": "header", "typed_config": header}, "value_match": {"exact": "yes"}}
        },
        "on_match": {"action": {"name": "skip", "typed_config": skip}},
    }
    typed = {
        "@type": f"{TYPE}.extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": {"name": "inner", "typed_config": {"@type": f"{HTTP}.{kind}", **config}},
        "xds_matcher": {"matcher_list": {"matchers": [matcher]}},
    }

    def mutate(one: Document) -> None:
        manager(one["listener"])["http_filters"].insert(4, {"name": "wrapped", "typed_config": typed})

    return mutate


FORGED = {
    "header": "x-open",
    "on_header_present": {"metadata_namespace": "extproc", "key": "request", "value": "allow"},
}
FILTER_MISTAKES = {
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
    "time-out that leaves no margin": Mistake(
        "message_timeout", ".message_timeout", setting("message_timeout", to="0.649s")
    ),
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
    "a deadline for the stream": Mistake(
        "differs_from_render", ".grpc_service.timeout", setting("grpc_service", "timeout", to="60s")
    ),
    "another host for the stream": Mistake(
        "differs_from_render",
        ".grpc_service.envoy_grpc.authority",
        setting("grpc_service", "envoy_grpc", "authority", to="elsewhere"),
    ),
    "metadata on the stream": Mistake(
        "differs_from_render",
        ".grpc_service.initial_metadata",
        setting("grpc_service", "initial_metadata", to=[{"key": "a", "value": "b"}]),
    ),
    "more metadata taken": Mistake(
        "differs_from_render",
        ".metadata_options.receiving_namespaces",
        setting("metadata_options", "receiving_namespaces", "untyped", to=["extproc", "envoy.lb"]),
    ),
    "claims not forwarded where none are": Mistake(
        "differs_from_render",
        ".metadata_options.forwarding_namespaces",
        setting("metadata_options", "forwarding_namespaces", to=None),
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
    "any other filter behind": Mistake(
        "changed_behind",
        ".http_filters[4]",
        inserted(4, "bridge", "grpc_http1_bridge.v3.Config"),
    ),
    "a wrapped script behind": Mistake("changed_behind", ".http_filters[4]", wrapped_behind("lua.v3.Lua", **LUA)),
    "a script of the router's": Mistake("changed_behind", ".upstream_http_filters[0]", of_the_router),
    "a script of a cluster's": Mistake(
        "changed_behind",
        ".http_filters[0]",
        clustering(*HTTP_OPTIONS, "http_filters", to=UPSTREAM_FILTERS),
    ),
    "wrapped authentication behind": Mistake(
        "filter_order", ".http_filters[4]", wrapped_behind("jwt_authn.v3.JwtAuthentication", **JWT)
    ),
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
    "a forger on one route": Mistake(
        "verdict_forgeable",
        ".typed_per_filter_config.forger.request_rules[0].on_header_present.metadata_namespace",
        all_of(
            inserted(1, "forger", "header_to_metadata.v3.Config"),
            on_the_route(forger={"@type": f"{HTTP}.header_to_metadata.v3.Config", "request_rules": [FORGED]}),
        ),
    ),
}
