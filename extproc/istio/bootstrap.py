"""A plain Envoy, whole: one listener, the filters in their order, the clusters, the admin interface."""

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapStaticResources,
    LayeredRuntime,
    RuntimeLayer,
)
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.google.protobuf import Any, Struct

from extproc.istio.clusters import envoy_address, otlp_cluster, processor_cluster, upstream_cluster
from extproc.istio.connection_manager import NAME, connection_manager
from extproc.istio.gateway import Gateway

_RUNTIME: dict[str, int | bool] = {
    # Envoy's default of 100 refuses an allow-list of a dozen header names; Istio's own bootstrap has this value too.
    "re2.max_program_size.error_level": 32_768,
    # Without it Envoy resets every stream to us, and a grpc server keeps a hundred bytes of each (docs/performance.md).
    "envoy.reloadable_features.ext_proc_graceful_grpc_close": True,
}


def bootstrap(gateway: Gateway) -> Bootstrap:
    """Everything `envoy -c` needs.

    Raises ConfigurationError for a value that Envoy cannot hold.  What is built here is typed, not yet validated by
    Envoy: `envoy --mode validate` does that.
    """
    clusters = [processor_cluster(gateway.processors, gateway.tls), upstream_cluster(gateway.upstream)]
    if gateway.otlp:
        clusters.append(otlp_cluster(gateway.otlp))
    return Bootstrap(
        node=Node(id=NAME, cluster=NAME),
        admin=Admin(address=envoy_address(gateway.admin)),
        layered_runtime=_runtime(gateway),
        static_resources=BootstrapStaticResources(listeners=[_listener(gateway)], clusters=clusters),
    )


def _runtime(gateway: Gateway) -> LayeredRuntime:
    """Envoy's tracer exports five spans at a time, or what there is every five seconds, unless told otherwise."""
    values = _RUNTIME | ({"tracing.opentelemetry.min_flush_spans": 1} if gateway.prompt_spans else {})
    return LayeredRuntime(layers=[RuntimeLayer(name="static", static_layer=Struct.from_dict(values))])


def _listener(gateway: Gateway) -> Listener:
    http = Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=Any.pack(connection_manager(gateway))
    )
    return Listener(
        name=NAME,
        address=envoy_address(gateway.listen),
        per_connection_buffer_limit_bytes=gateway.buffer_bytes,
        filter_chains=[FilterChain(filters=[http])],
    )
