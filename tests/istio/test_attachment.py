import pytest

from extproc.errors import ConfigurationError
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway, excluded_route, ingress_gateway

CLASSIC = {"kind": "classic", "namespace": "istio-system", "name": None, "service_account": "gateway"}


def test_a_classic_gateway_has_the_labels_and_the_account_that_were_named() -> None:
    assert ingress_gateway(**CLASSIC, labels=("istio=ingressgateway", "example.com/a=")) == ClassicGateway(  # type: ignore[arg-type]
        "istio-system", "gateway", (("istio", "ingressgateway"), ("example.com/a", ""))
    )


@pytest.mark.parametrize("label", ["istio", "=x", "a=b=c", "a b=c", "a=-", "A.com/x=y", "a=b\n"])
def test_what_is_no_label_is_refused(label: str) -> None:
    with pytest.raises(ConfigurationError, match="is no label: expected KEY=VALUE"):
        ingress_gateway(**CLASSIC, labels=(label,))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "Istio", "a_b", "-a", "a" * 64, "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name of a Kubernetes object"):
        ingress_gateway(kind="gateway-api", namespace="shop", name=name, service_account="", labels=())


def test_a_gateway_of_the_gateway_api_has_the_names_that_istiod_gives() -> None:
    gateway = ingress_gateway(kind="gateway-api", namespace="shop", name="edge", service_account="", labels=())

    assert gateway == ApiGateway("shop", "edge")
    assert gateway.service_account == "edge-istio"
    assert gateway.labels == (("gateway.networking.k8s.io/gateway-name", "edge"),)


def test_a_gateway_of_the_gateway_api_needs_a_name() -> None:
    with pytest.raises(ConfigurationError, match="say --gateway-name"):
        ingress_gateway(kind="gateway-api", namespace="shop", name=None, service_account="", labels=())


def test_the_service_has_a_name_in_dns_and_one_in_envoy() -> None:
    attachment = Attachment(gateway=ApiGateway("shop", "edge"), namespace="gate")

    assert attachment.host == "extproc.gate.svc.cluster.local"
    assert attachment.cluster == "outbound|9000||extproc.gate.svc.cluster.local"


@pytest.mark.parametrize("route", ["", "/", "/health", "shop.example/"])
def test_an_excluded_route_has_a_name(route: str) -> None:
    with pytest.raises(ConfigurationError, match="is no route to exclude: expected HOST/ROUTE"):
        excluded_route(route)
