"""A gateway with an EnvoyFilter in it, as its config dump would show it: the doctor reads it without a mesh.

What istiod makes of the other objects stands here as it was seen there (tests/istio_live has the real ones).
"""

import json

from istio.manifests.rendering import Object

ADMIN = "type.googleapis.com/envoy.admin.v3"
TYPE = "type.googleapis.com/envoy"
MANAGER = "envoy.filters.network.http_connection_manager"
HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
TLS = f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
GRACEFUL = {"envoy.reloadable_features.ext_proc_graceful_grpc_close": True}
ROUTES = {
    "name": "http.8080",
    "virtual_hosts": [
        {
            "name": "any",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "shop", "timeout": "0s"}}],
        }
    ],
}


def dumped(envoy_filter: Object) -> bytes:
    """Of a gateway with one listener and one route."""
    sections = {
        "Bootstrap": {"bootstrap": {"layered_runtime": {"layers": [{"name": "mesh", "static_layer": GRACEFUL}]}}},
        "Clusters": {"static_clusters": [{"cluster": _processor()}]},
        "Listeners": {"static_listeners": [{"listener": _listener(envoy_filter)}]},
        "Routes": {"static_route_configs": [{"route_config": ROUTES}]},
    }
    configs = [{"@type": f"{ADMIN}.{name}ConfigDump"} | content for name, content in sections.items()]
    return json.dumps({"configs": configs}).encode()


def _listener(envoy_filter: Object) -> Object:
    """Every patch in its place."""
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
    }
    filters: list[Object] = []
    manager: Object = {"name": MANAGER}
    listener: Object = {"name": "0.0.0.0_8080", "filter_chains": [{"filters": [manager]}]}
    for each in envoy_filter["spec"]["configPatches"]:
        value = each["patch"]["value"]
        match each["applyTo"], each["patch"]["operation"]:
            case "LISTENER", "MERGE":
                listener |= value
            case "NETWORK_FILTER", "MERGE":
                manager |= value
            case "HTTP_FILTER", "INSERT_BEFORE":
                filters.append(value)
            case other:
                raise AssertionError(other)
    manager["typed_config"] = manager["typed_config"] | {"http_filters": [*filters, router], "route_config": ROUTES}
    return listener


def _processor() -> Object:
    """The Service's cluster, with what the DestinationRule asks for."""
    options = {
        "@type": f"{TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    validation = {"validation_context_sds_secret_config": {"name": "ROOTCA"}}
    names = [{"exact": "spiffe://cluster.local/ns/extproc/sa/extproc"}]
    combined = {"combined_validation_context": {"default_validation_context": {"match_subject_alt_names": names}}}
    combined["combined_validation_context"] |= validation
    return {
        "name": "outbound|9000||extproc.extproc.svc.cluster.local",
        "type": "EDS",
        "circuit_breakers": {"thresholds": [{"max_requests": 100_000, "max_pending_requests": 100_000}]},
        "outlier_detection": {},
        "typed_extension_protocol_options": {HTTP_OPTIONS: options},
        "transport_socket": {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {"@type": TLS, "common_tls_context": combined},
        },
    }
