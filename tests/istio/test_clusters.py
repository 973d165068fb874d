from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType

from extproc.istio.clusters import processor_cluster, upstream_cluster
from extproc.istio.gateway import Address, TcpAddress, UnixAddress


def http_of(cluster: Cluster) -> dict[str, object]:
    (options,) = cluster.typed_extension_protocol_options.values()
    return dict(options.to_dict()["explicitHttpConfig"])


def test_every_worker_is_an_endpoint() -> None:
    cluster = processor_cluster([TcpAddress("127.0.0.1", 9000), UnixAddress("/run/extproc.sock")])

    assert cluster.load_assignment is not None
    assert cluster.load_assignment.to_dict()["endpoints"] == [
        {
            "lbEndpoints": [
                {"endpoint": {"address": {"socketAddress": {"address": "127.0.0.1", "portValue": 9000}}}},
                {"endpoint": {"address": {"pipe": {"path": "/run/extproc.sock"}}}},
            ]
        }
    ]


def test_the_processor_speaks_http2_and_is_asked_for_its_health_every_second() -> None:
    cluster = processor_cluster([TcpAddress("127.0.0.1", 9000)])

    assert http_of(cluster) == {"http2ProtocolOptions": {}}
    (check,) = cluster.health_checks
    assert check.grpc_health_check is not None
    assert (check.interval, check.no_traffic_interval) == (timedelta(seconds=1), timedelta(seconds=1))


def test_more_exchanges_than_envoys_default_may_run_at_once() -> None:
    breakers = processor_cluster([TcpAddress("127.0.0.1", 9000)]).circuit_breakers

    assert breakers is not None
    assert [each.max_requests for each in breakers.thresholds] == [100_000]


def test_the_upstream_speaks_http1_and_keeps_trailers() -> None:
    assert http_of(upstream_cluster(TcpAddress("127.0.0.1", 80))) == {"httpProtocolOptions": {"enableTrailers": True}}


@pytest.mark.parametrize(
    ("address", "discovery"),
    [
        (TcpAddress("127.0.0.1", 80), ClusterDiscoveryType.STATIC),
        (TcpAddress("::1", 80), ClusterDiscoveryType.STATIC),
        (UnixAddress("/run/upstream.sock"), ClusterDiscoveryType.STATIC),
        (TcpAddress("upstream", 80), ClusterDiscoveryType.STRICT_DNS),
    ],
)
def test_only_names_are_resolved(address: Address, discovery: ClusterDiscoveryType) -> None:
    assert upstream_cluster(address).type is discovery
