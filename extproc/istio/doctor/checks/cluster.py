"""The cluster that the processor is asked through."""

from collections.abc import Iterator

from envoy_data_plane.envoy.config.core.v3 import RoutingPriority
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import Node, shown
from extproc.istio.doctor.view import View

DEFAULT = RoutingPriority.DEFAULT
DEFAULT_MOST = 1_024
"""CircuitBreakers.Thresholds, where a field is absent."""


def _cluster_missing(view: View, _: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        if ours.cluster not in view.clusters:
            said = (
                f"names {shown(ours.cluster)}, which the gateway does not know" if ours.cluster else "names no cluster"
            )
            yield Spot(f"{ours.path_to('grpc_service')}.envoy_grpc.cluster_name", said)


def _cluster_other(view: View, expected: Expected) -> Iterator[Spot]:
    for _chain, ours in view.processed:
        if ours.cluster in view.clusters and ours.cluster not in expected.clusters:
            place = f"{ours.path_to('grpc_service')}.envoy_grpc.cluster_name"
            yield Spot(place, f"is {shown(ours.cluster)}, must be one of {', '.join(sorted(expected.clusters))}")


def _cluster_http1(view: View, _: Expected) -> Iterator[Spot]:
    for cluster in view.clusters.values():
        if cluster.protocol is None:
            if cluster.config.http2_protocol_options is None:
                yield Spot(cluster.node.path_to("typed_extension_protocol_options"), "is absent: HTTP/1.1")
        else:
            yield from _other_than_http2(*cluster.protocol)


def _other_than_http2(place: Node, options: HttpProtocolOptions) -> Iterator[Spot]:
    """What negotiates (auto_config) is left alone: gRPC servers offer HTTP/2 alone."""
    if options.use_downstream_protocol_config is not None:
        yield Spot(place.path_to("use_downstream_protocol_config"), "takes the client's protocol")
    elif options.explicit_http_config is not None and options.explicit_http_config.http2_protocol_options is None:
        yield Spot(place.path_to("explicit_http_config"), "is not HTTP/2")


def _circuit_breakers(view: View, _: Expected) -> Iterator[Spot]:
    for cluster in view.clusters.values():
        breakers = cluster.config.circuit_breakers
        limits = next((each for each in breakers.thresholds if each.priority is DEFAULT), None) if breakers else None
        for field, found in (
            ("max_requests", limits.max_requests if limits else None),
            ("max_pending_requests", limits.max_pending_requests if limits else None),
        ):
            most = DEFAULT_MOST if found is None else found
            if most <= DEFAULT_MOST:
                yield Spot(f"{cluster.node.path_to('circuit_breakers')}.thresholds", f"{field} is {most}")


def _no_health(view: View, _: Expected) -> Iterator[Spot]:
    for cluster in view.clusters.values():
        if not cluster.config.health_checks and cluster.config.outlier_detection is None:
            yield Spot(cluster.node.path_to("health_checks"), "is absent, and so is outlier_detection")


CHECKS = (
    Check(
        "cluster_missing",
        Severity.ERROR,
        "Envoy has nobody to ask: every exchange is refused.",
        "Correct the cluster's name; with PILOT_FILTER_GATEWAY_CLUSTER_CONFIG=true add the annotation "
        "envoyfilter.istio.io/referenced-services.",
        _cluster_missing,
    ),
    Check(
        "cluster_other",
        Severity.ERROR,
        "Another server is asked than this configuration is about: what it denies is not known here.",
        "Render the filter again; a server in another namespace than extproc is named with --server-namespace.",
        _cluster_other,
    ),
    Check(
        "cluster_http1",
        Severity.ERROR,
        "gRPC needs HTTP/2: every exchange is refused.",
        "Name the Service's port `grpc`, or set explicit_http_config.http2_protocol_options.",
        _cluster_http1,
    ),
    Check(
        "circuit_breakers",
        Severity.WARNING,
        f"Each exchange is one request for its whole life: beyond {DEFAULT_MOST:,} at a time all others are refused.",
        "Raise http2MaxRequests and http1MaxPendingRequests in the DestinationRule, or the cluster's thresholds.",
        _circuit_breakers,
    ),
    Check(
        "no_health_check",
        Severity.WARNING,
        "A server that stops is asked until it is gone: exchanges fail at each restart.",
        "Set outlierDetection in the DestinationRule, or a gRPC health check on the cluster.",
        _no_health,
    ),
)
