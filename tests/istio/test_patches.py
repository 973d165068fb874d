from dataclasses import replace
from pathlib import Path

import pytest

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway
from extproc.istio.envoy_filter import ConfigPatch, EnvoyFilter
from extproc.istio.gateway import FilterSettings
from extproc.istio.mapping import envoy_filter_of
from extproc.istio.patches import envoy_filter

CLASSIC = Attachment(gateway=ClassicGateway("istio-ingress", "gateway", (("istio", "ingress"),)))
GATEWAY_API = Attachment(gateway=ApiGateway("shop", "edge"))

FILTERS = ["extproc.response_guard", "extproc.strip_client_headers", "extproc.policy", "extproc.request_guard"]


def rendered(attachment: Attachment = CLASSIC, **keys: object) -> EnvoyFilter:
    settings = Settings.model_validate({"policy": {"paths": [Path("policies")]}} | keys)
    return envoy_filter_of(settings, attachment)


def patches(envoy_filter: EnvoyFilter, apply_to: str) -> list[ConfigPatch]:
    return [each for each in envoy_filter.spec.config_patches if each.apply_to == apply_to]


def names(envoy_filter: EnvoyFilter) -> list[object]:
    return [each.patch.value["name"] for each in patches(envoy_filter, "HTTP_FILTER")]


def processor(envoy_filter: EnvoyFilter) -> dict:  # type: ignore[type-arg]  # any JSON object
    return patches(envoy_filter, "HTTP_FILTER")[names(envoy_filter).index("extproc.policy")].patch.value["typed_config"]  # type: ignore[return-value]


def test_our_filters_go_before_the_router_in_the_order_of_a_plain_gateway() -> None:
    envoy_filter = rendered()

    assert names(envoy_filter) == FILTERS
    for patch in patches(envoy_filter, "HTTP_FILTER"):
        assert patch.match.model_dump(by_alias=True, exclude_none=True) == {
            "context": "GATEWAY",
            "listener": {
                "filterChain": {
                    "filter": {
                        "name": "envoy.filters.network.http_connection_manager",
                        "subFilter": {"name": "envoy.filters.http.router"},
                    }
                }
            },
        }
        assert patch.patch.operation == "INSERT_BEFORE"


def test_a_request_only_gateway_has_no_response_guard() -> None:
    assert names(rendered(policy={"paths": [Path("p")], "points": {"response": None}})) == FILTERS[1:]


def test_limits_and_time_outs_are_the_servers_own() -> None:
    envoy_filter = rendered(inspection={"response_body_bytes": 2 << 20}, envoy={"message_timeout_ms": 1500})

    (listener,) = patches(envoy_filter, "LISTENER")
    assert listener.patch.value == {"per_connection_buffer_limit_bytes": (2 << 20) + (64 << 10)}
    assert processor(envoy_filter)["message_timeout"] == "1.500s"


def test_the_connection_manager_gets_finite_time_outs_and_one_spelling_of_each_path() -> None:
    (patch,) = patches(rendered(), "NETWORK_FILTER")

    assert patch.patch.operation == "MERGE"
    assert patch.patch.value["typed_config"] == {
        "@type": "type.googleapis.com/"
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http_protocol_options": {"enable_trailers": True},
        "http2_protocol_options": {"max_concurrent_streams": 100},
        "stream_idle_timeout": "300s",
        "request_timeout": "60s",
        "request_headers_timeout": "15s",
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
    }


def test_a_classic_gateway_is_found_by_the_labels_of_its_pods() -> None:
    envoy_filter = rendered()

    assert envoy_filter.metadata.namespace == "istio-ingress"
    assert envoy_filter.spec.workload_selector is not None
    assert envoy_filter.spec.workload_selector.labels == {"istio": "ingress"}
    assert envoy_filter.spec.target_refs is None


def test_a_gateway_of_the_gateway_api_is_found_by_its_name() -> None:
    spec = rendered(GATEWAY_API).document()["spec"]

    assert isinstance(spec, dict)
    assert spec["targetRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}]
    assert "workloadSelector" not in spec


def test_the_service_is_asked_by_istios_name_for_it() -> None:
    envoy_filter = rendered(replace(CLASSIC, namespace="gate"))

    service = processor(envoy_filter)["grpc_service"]["envoy_grpc"]
    assert service["cluster_name"] == "outbound|9000||extproc.gate.svc.cluster.local"
    assert service["authority"] == "extproc.gate.svc.cluster.local"
    assert envoy_filter.metadata.annotations == {
        "envoyfilter.istio.io/referenced-services": "gate/extproc.gate.svc.cluster.local"
    }
    assert patches(envoy_filter, "CLUSTER") == []


def test_a_container_beside_the_gateway_is_a_cluster_of_its_sockets() -> None:
    envoy_filter = rendered(replace(CLASSIC, profile="in-pod"), listen="unix:///run/extproc/s", workers=2)

    (cluster,) = patches(envoy_filter, "CLUSTER")
    assert cluster.patch.operation == "ADD"
    endpoints = cluster.patch.value["load_assignment"]["endpoints"][0]["lb_endpoints"]  # type: ignore[index, call-overload]
    paths = [each["endpoint"]["address"]["pipe"]["path"] for each in endpoints]  # type: ignore[index, call-overload, union-attr]
    assert paths == ["/run/extproc/s.0", "/run/extproc/s.1"]
    assert processor(envoy_filter)["grpc_service"] == {"envoy_grpc": {"cluster_name": "extproc"}}
    assert envoy_filter.metadata.annotations is None


def test_a_container_beside_the_gateway_must_listen_on_a_socket() -> None:
    with pytest.raises(ConfigurationError, match=r"^listen: 127\.0\.0\.1:9000 is no Unix socket"):
        rendered(replace(CLASSIC, profile="in-pod"))


def test_a_route_is_excluded_on_the_filter_and_on_the_guard() -> None:
    envoy_filter = rendered(replace(CLASSIC, excluded_routes=("health",)))
    envoy_filter.document()

    (patch,) = patches(envoy_filter, "HTTP_ROUTE")
    assert patch.match.route_configuration is not None
    assert patch.match.route_configuration.vhost.route.name == "health"
    assert patch.patch.value == {
        "typed_per_filter_config": {
            "extproc.policy": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExtProcPerRoute",
                "disabled": True,
            },
            "extproc.request_guard": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
            },
        }
    }


def test_a_route_can_be_excluded_for_one_host() -> None:
    envoy_filter = rendered(replace(CLASSIC, excluded_routes=("shop.example/a/b",)))

    (patch,) = envoy_filter.document()["spec"]["configPatches"][-1:]  # type: ignore[index, call-overload]
    assert patch["match"]["routeConfiguration"] == {"vhost": {"domainName": "shop.example", "route": {"name": "a/b"}}}


@pytest.mark.parametrize("attachment", [CLASSIC, GATEWAY_API])
def test_every_mode_reads_back_strictly(attachment: Attachment) -> None:
    plain = FilterSettings()
    for settings in (plain, replace(plain, waivers=True), replace(plain, path=True, mode="shadow")):
        assert envoy_filter(settings, attachment).document()["kind"] == "EnvoyFilter"
