"""The processor, the upstream and the OTLP receiver as Envoy clusters."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterCommonLbConfig,
    ClusterDiscoveryType,
)
from envoy_data_plane.envoy.config.core.v3 import Address as EnvoyAddress
from envoy_data_plane.envoy.config.core.v3 import (
    HealthCheck,
    HealthCheckGrpcHealthCheck,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    Pipe,
    SocketAddress,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions as ClusterProtocol
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptionsExplicitHttpConfig
from envoy_data_plane.envoy.type.v3 import Percent
from envoy_data_plane.google.protobuf import Any

from extproc.istio.gateway import Address, ClientTls, TcpAddress
from extproc.istio.processor import CLUSTER_NAME
from extproc.istio.transport import transport_socket

UPSTREAM = "upstream"
OTLP = "otlp"

# Each exchange is one gRPC stream for its whole life: the default of 1,024 would refuse the 1,025th.
MANY = 100_000

HTTP2 = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
HTTP1 = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions(enable_trailers=True))


def processor_cluster(processors: Sequence[Address], tls: ClientTls | None = None) -> Cluster:
    """One endpoint per worker; a worker that stops serving gets no new exchange after at most two seconds."""
    cluster = _cluster(CLUSTER_NAME, processors, HTTP2)
    cluster.health_checks = [
        HealthCheck(
            timeout=timedelta(seconds=1),
            interval=timedelta(seconds=1),
            no_traffic_interval=timedelta(seconds=1),
            unhealthy_threshold=2,
            healthy_threshold=1,
            grpc_health_check=HealthCheckGrpcHealthCheck(),
        )
    ]
    if tls is not None:
        cluster.transport_socket = transport_socket(tls)
    # Never send to a worker that is known to be down, even when most are.
    cluster.common_lb_config = ClusterCommonLbConfig(healthy_panic_threshold=Percent(value=0))
    return cluster


def upstream_cluster(upstream: Address) -> Cluster:
    """HTTP/1.1 with trailers, as the listener has them."""
    return _cluster(UPSTREAM, [upstream], HTTP1)


def otlp_cluster(otlp: Address) -> Cluster:
    """Envoy's own spans go here, over gRPC."""
    return _cluster(OTLP, [otlp], HTTP2)


def envoy_address(address: Address) -> EnvoyAddress:
    """The same address as a message."""
    if isinstance(address, TcpAddress):
        return EnvoyAddress(socket_address=SocketAddress(address=address.host, port_value=address.port))
    return EnvoyAddress(pipe=Pipe(path=address.path))


def _cluster(name: str, addresses: Sequence[Address], http: HttpProtocolOptionsExplicitHttpConfig) -> Cluster:
    idle = HttpProtocolOptions(idle_timeout=timedelta(minutes=5))
    protocol = ClusterProtocol(common_http_protocol_options=idle, explicit_http_config=http)
    thresholds = CircuitBreakersThresholds(max_connections=MANY, max_pending_requests=MANY, max_requests=MANY)
    endpoints = [LbEndpoint(endpoint=Endpoint(address=envoy_address(address))) for address in addresses]
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC if all(map(_is_literal, addresses)) else ClusterDiscoveryType.STRICT_DNS,
        connect_timeout=timedelta(seconds=1),
        circuit_breakers=CircuitBreakers(thresholds=[thresholds]),
        load_assignment=ClusterLoadAssignment(
            cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=endpoints)]
        ),
        typed_extension_protocol_options={"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": Any.pack(protocol)},
    )


def _is_literal(address: Address) -> bool:
    """Whether Envoy needs no DNS for it."""
    if not isinstance(address, TcpAddress):
        return True
    try:
        ip_address(address.host)
    except ValueError:
        return False
    return True
