"""The service profile without sidecars: the server ends mutual TLS itself."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from istio.manifests.rendering import CLASSIC, GATEWAY_API, TLS, Object, configured, one, rendered

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import Attachment


@pytest.fixture
def documents(tmp_path: Path) -> list[Object]:
    return rendered(configured(tmp_path, TLS))


def pod(documents: list[Object]) -> Any:  # noqa: ANN401 - a JSON object
    return one(documents, "Deployment")["spec"]["template"]


def test_there_is_no_sidecar_and_nothing_that_only_a_sidecar_would_heed(documents: list[Object]) -> None:
    labels = one(documents, "Namespace")["metadata"]["labels"]

    assert labels["istio-injection"] == "disabled"
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert pod(documents)["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert "proxy.istio.io/config" not in pod(documents)["metadata"]["annotations"]
    assert {"PeerAuthentication", "AuthorizationPolicy"}.isdisjoint(each["kind"] for each in documents)


def test_the_server_reads_its_certificate_from_a_secret_and_lets_the_same_names_ask(documents: list[Object]) -> None:
    (container,) = pod(documents)["spec"]["containers"]
    configuration = yaml.safe_load(one(documents, "ConfigMap", "extproc-config")["data"]["extproc.yaml"])

    assert configuration["tls"] == {
        "certificate": "/etc/extproc/tls/tls.crt",
        "key": "/etc/extproc/tls/tls.key",
        "client_ca": "/etc/extproc/tls/ca.crt",
        "client_san": ["spiffe://example.org/gateway"],
    }
    assert {"name": "extproc-tls", "mountPath": "/etc/extproc/tls", "readOnly": True} in container["volumeMounts"]
    assert {"name": "extproc-tls", "secret": {"secretName": "extproc-tls", "defaultMode": 0o440}} in pod(documents)[
        "spec"
    ]["volumes"]
    assert Settings.model_validate(configuration).listen == "0.0.0.0:9000"
    assert "Secret" not in [each["kind"] for each in documents]


@pytest.mark.parametrize("attachment", [CLASSIC, GATEWAY_API])
def test_the_gateway_shows_a_certificate_and_checks_the_servers_name(tmp_path: Path, attachment: Attachment) -> None:
    rule = one(rendered(configured(tmp_path, TLS), attachment), "DestinationRule")["spec"]
    host = "extproc.extproc.svc.cluster.local"

    assert rule["trafficPolicy"]["tls"] == {
        "mode": "MUTUAL",
        "credentialName": "extproc-gateway-tls",
        "sni": host,
        "subjectAltNames": [host],
    }
    assert rule["trafficPolicy"]["connectionPool"]["http"]["http2MaxRequests"] == 100_000


def test_whoever_scrapes_reaches_the_admin_port_itself(documents: list[Object]) -> None:
    asks, scrapes = one(documents, "NetworkPolicy")["spec"]["ingress"]

    assert [each["port"] for each in asks["ports"] + scrapes["ports"]] == [9000, 9090]


def test_selectors_find_the_pods_without_the_label_of_the_sidecar(documents: list[Object]) -> None:
    labels = pod(documents)["metadata"]["labels"].items()
    selector = one(documents, "Service")["spec"]["selector"]

    assert selector == {"app.kubernetes.io/name": "extproc"}
    assert selector.items() <= labels


def test_the_gateway_filters_are_the_same(tmp_path: Path, documents: list[Object]) -> None:
    assert one(documents, "EnvoyFilter") == one(rendered(configured(tmp_path)), "EnvoyFilter")


def test_a_container_beside_the_gateway_has_no_tls(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tls is for a port, and listen is a Unix socket"):
        rendered(configured(tmp_path, TLS + "listen: unix:///run/x.sock\n"))
