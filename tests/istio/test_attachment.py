from typing import Literal

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
        ingress_gateway(kind="gateway-api", namespace="shop", name=name, service_account=None, labels=())


def test_a_gateway_of_the_gateway_api_has_the_names_that_istiod_gives() -> None:
    gateway = ingress_gateway(kind="gateway-api", namespace="shop", name="edge", service_account=None, labels=())

    assert gateway == ApiGateway("shop", "edge")
    assert gateway.service_account == "edge-istio"
    assert gateway.labels == (("gateway.networking.k8s.io/gateway-name", "edge"),)


def test_two_values_of_one_label_fit_no_pod() -> None:
    with pytest.raises(ConfigurationError, match=r"^--selector: two values of one label, and a pod has one"):
        ingress_gateway(**CLASSIC, labels=("istio=a", "team=x", "istio=b"))  # type: ignore[arg-type]


def test_the_pods_of_a_classic_gateway_opt_in_by_a_label_unless_others_are_named() -> None:
    gateway = ingress_gateway(kind="classic", namespace="istio-system", name=None, service_account=None, labels=())

    assert gateway == ClassicGateway("istio-system", "istio-ingressgateway-service-account", (("extproc", "enabled"),))


@pytest.mark.parametrize(
    ("kind", "name", "account", "labels", "message"),
    [
        ("classic", "edge", None, (), "--gateway-name is of a Gateway of the Gateway API"),
        ("gateway-api", "edge", "gateway", (), "are of a classic gateway"),
        ("gateway-api", "edge", None, ("istio=edge",), "are of a classic gateway"),
    ],
)
def test_what_says_nothing_of_the_gateways_kind_is_refused(
    kind: Literal["classic", "gateway-api"], name: str, account: str | None, labels: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ingress_gateway(kind=kind, namespace="shop", name=name, service_account=account, labels=labels)


def test_a_gateway_of_the_gateway_api_needs_a_name() -> None:
    with pytest.raises(ConfigurationError, match="say --gateway-name"):
        ingress_gateway(kind="gateway-api", namespace="shop", name=None, service_account=None, labels=())


def test_the_service_has_a_name_in_dns_and_one_in_envoy() -> None:
    attachment = Attachment(gateway=ApiGateway("shop", "edge"), namespace="gate")

    assert attachment.host == "extproc.gate.svc.cluster.local"
    assert attachment.cluster == "outbound|9000||extproc.gate.svc.cluster.local"


@pytest.mark.parametrize("route", ["", "/", "/health", "shop.example/"])
def test_an_excluded_route_has_a_name(route: str) -> None:
    with pytest.raises(ConfigurationError, match="is no route to exclude: expected HOST/ROUTE"):
        excluded_route(route)
