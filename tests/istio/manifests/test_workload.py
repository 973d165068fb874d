from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from istio.manifests.rendering import (
    CLASSIC,
    GATEWAY_API,
    IN_POD,
    WORKLOAD,
    Object,
    configured,
    one,
    rendered,
)

KINDS = [
    "Namespace",
    "ServiceAccount",
    "ConfigMap",
    "ConfigMap",
    "NetworkPolicy",
    "PeerAuthentication",
    "AuthorizationPolicy",
    "DestinationRule",
    "Service",
    "PodDisruptionBudget",
    "Deployment",
    "EnvoyFilter",
]


@pytest.fixture
def documents(tmp_path: Path) -> list[Object]:
    return rendered(configured(tmp_path))


def pod(documents: list[Object]) -> Any:  # noqa: ANN401 - a JSON object
    return one(documents, "Deployment")["spec"]["template"]["spec"]


def test_what_starts_to_ask_comes_last(documents: list[Object]) -> None:
    assert [each["kind"] for each in documents] == KINDS


def test_the_server_can_be_there_before_anybody_asks_it(tmp_path: Path) -> None:
    file = configured(tmp_path)

    assert rendered(file, part="server") + rendered(file, part="gateway") == rendered(file)
    assert [each["kind"] for each in rendered(file, part="gateway")] == ["EnvoyFilter"]


def test_no_pod_has_more_rights_than_it_needs(documents: list[Object]) -> None:
    (container,) = pod(documents)["containers"]

    assert container["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod(documents)["automountServiceAccountToken"] is False


def test_everything_that_is_mounted_is_a_volume_and_every_path_is_mounted(documents: list[Object]) -> None:
    (container,) = pod(documents)["containers"]
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    configuration = yaml.safe_load(one(documents, "ConfigMap", "extproc-config")["data"]["extproc.yaml"])
    evidence = configuration["evidence"]
    paths = [container["args"][-1], *configuration["policy"]["paths"], *evidence.values()]

    assert {each["name"] for each in mounts.values()} == {each["name"] for each in pod(documents)["volumes"]}
    assert [path for path in paths if not any(path.startswith(f"{mount}/") for mount in mounts)] == []
    assert [path for path, each in mounts.items() if not each.get("readOnly")] == ["/var/lib/extproc", "/tmp"]  # noqa: S108


def test_keys_come_from_a_secret_that_is_not_rendered(documents: list[Object]) -> None:
    volumes = {each["name"]: each for each in pod(documents)["volumes"]}

    assert volumes["extproc-keys"]["secret"] == {"secretName": "extproc-keys", "defaultMode": 0o440}
    assert "Secret" not in [each["kind"] for each in documents]


def test_an_old_pod_goes_when_a_new_one_is_ready_and_has_time_to_drain(documents: list[Object]) -> None:
    spec = one(documents, "Deployment")["spec"]
    (container,) = pod(documents)["containers"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert one(documents, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    waits = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod(documents)["terminationGracePeriodSeconds"] > waits + 27
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}


def test_the_memory_limit_is_above_what_traffic_can_make_it_hold(documents: list[Object]) -> None:
    (container,) = pod(documents)["containers"]

    assert container["resources"]["limits"] == {"memory": f"{(3 << 10) + 1}Mi"}


def test_beside_the_gateway_each_worker_may_hold_as_much(tmp_path: Path) -> None:
    file = configured(tmp_path, "listen: unix:///run/gate/x.sock\nworkers: 4\n")
    (patch,) = rendered(file, IN_POD, part="gateway-pods")

    container, _proxy = patch["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": f"{4 * (3 << 10) + 1}Mi"}


def test_receipts_lie_in_an_empty_dir_or_in_a_volume_of_a_class(tmp_path: Path) -> None:
    def receipts(documents: list[Object]) -> Object:
        (volume,) = (each for each in pod(documents)["volumes"] if each["name"] == "extproc-receipts")
        return volume

    file = configured(tmp_path)
    assert receipts(rendered(file)) == {"name": "extproc-receipts", "emptyDir": {"sizeLimit": "8Gi"}}
    claimed = receipts(rendered(file, workload=replace(WORKLOAD, storage_class="fast", receipts_size="20Gi")))
    assert claimed["ephemeral"]["volumeClaimTemplate"]["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "resources": {"requests": {"storage": "20Gi"}},
    }


def test_the_namespace_has_sidecars_of_the_revision_that_was_named(tmp_path: Path) -> None:
    file = configured(tmp_path)

    labels = one(rendered(file), "Namespace")["metadata"]["labels"]
    assert labels["istio-injection"] == "enabled"
    labels = one(rendered(file, workload=replace(WORKLOAD, revision="stable")), "Namespace")["metadata"]["labels"]
    assert labels["istio.io/rev"] == "stable"
    assert "istio-injection" not in labels


@pytest.mark.parametrize("attachment", [CLASSIC, GATEWAY_API])
def test_only_the_gateway_may_ask(tmp_path: Path, attachment: Any) -> None:  # noqa: ANN401 - of either kind
    documents = rendered(configured(tmp_path), replace(attachment, trust_domain="bank.example"))
    gateway = attachment.gateway

    (rule,) = one(documents, "AuthorizationPolicy")["spec"]["rules"]
    principal = f"bank.example/ns/{gateway.namespace}/sa/{gateway.service_account}"
    assert rule == {
        "from": [{"source": {"principals": [principal]}}],
        "to": [{"operation": {"ports": ["9000"]}}],
    }
    assert one(documents, "PeerAuthentication")["spec"]["mtls"] == {"mode": "STRICT"}
    asks, scrapes = one(documents, "NetworkPolicy")["spec"]["ingress"]
    assert asks == {
        "from": [
            {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": gateway.namespace}},
                "podSelector": {"matchLabels": dict(gateway.labels)},
            }
        ],
        "ports": [{"port": 9000, "protocol": "TCP"}],
    }
    assert [each["port"] for each in scrapes["ports"]] == [15020]


def test_selectors_find_the_pods(documents: list[Object]) -> None:
    labels = one(documents, "Deployment")["spec"]["template"]["metadata"]["labels"]

    assert one(documents, "Service")["spec"]["selector"] == labels
    for kind in ("PeerAuthentication", "AuthorizationPolicy", "PodDisruptionBudget", "Deployment"):
        assert one(documents, kind)["spec"]["selector"] == {"matchLabels": labels}
    assert one(documents, "NetworkPolicy")["spec"]["podSelector"] == {"matchLabels": labels}


def test_the_gateway_finds_the_service_by_name_and_port_over_mutual_tls(documents: list[Object]) -> None:
    rule = one(documents, "DestinationRule")["spec"]
    (port,) = one(documents, "Service")["spec"]["ports"]

    assert rule["host"] == "extproc.extproc.svc.cluster.local"
    assert rule["trafficPolicy"]["tls"] == {
        "mode": "ISTIO_MUTUAL",
        "subjectAltNames": ["spiffe://cluster.local/ns/extproc/sa/extproc"],
    }
    assert rule["trafficPolicy"]["connectionPool"]["http"]["http2MaxRequests"] == 100_000
    assert (port["port"], port["appProtocol"]) == (9000, "grpc")


def test_a_patch_ends_streams_in_the_gateway_gracefully(tmp_path: Path) -> None:
    (patch,) = rendered(configured(tmp_path), part="gateway-pods")

    template = patch["spec"]["template"]
    assert list(template) == ["metadata"]
    assert list(template["metadata"]["annotations"]) == ["proxy.istio.io/config"]
    assert yaml.safe_load(template["metadata"]["annotations"]["proxy.istio.io/config"]) == {
        "runtimeValues": {"envoy.reloadable_features.ext_proc_graceful_grpc_close": "true"}
    }


def test_a_patch_gives_the_gateways_pods_the_labels_by_which_they_are_found(tmp_path: Path) -> None:
    file = configured(tmp_path)
    (patch,) = rendered(file, part="gateway-pods")
    (envoy_filter,) = rendered(file, part="gateway")

    labels = patch["spec"]["template"]["metadata"]["labels"]
    assert labels == envoy_filter["spec"]["workloadSelector"]["labels"] == {"istio": "ingress"}


def test_beside_the_gateway_a_change_of_policy_or_configuration_is_a_rollout(tmp_path: Path) -> None:
    def template(text: str = "") -> Object:
        file = configured(tmp_path, f"listen: unix:///run/gate/x.sock\n{text}")
        (patch,) = rendered(file, IN_POD, part="gateway-pods")
        return patch["spec"]["template"]["metadata"]["annotations"]

    first, again, other = template(), template(), template("blocking: {status: 451}\n")
    (tmp_path / "policies/shop/more.rego").write_text("package extproc.more\n")

    assert first == again
    assert len({each["extproc/content"] for each in (first, other, template())}) == 3


def test_a_container_beside_the_gateway_shares_its_user_and_the_sockets_folder(tmp_path: Path) -> None:
    file = configured(tmp_path, "listen: unix:///run/gate/x.sock\n")
    (patch,) = rendered(file, IN_POD, part="gateway-pods")

    ours, proxy = patch["spec"]["template"]["spec"]["containers"]
    shared = {"name": "extproc-socket", "mountPath": "/run/gate"}
    assert proxy == {"name": "istio-proxy", "volumeMounts": [shared]}
    assert shared in ours["volumeMounts"]
    assert ours["securityContext"]["runAsUser"] == 1337
    assert [each["name"] for each in ours["ports"]] == ["admin"]
    assert patch["spec"]["template"]["spec"]["securityContext"] == {"fsGroup": 1337}
    assert {each["metadata"]["namespace"] for each in rendered(file, IN_POD)} == {"istio-ingress"}


def test_istiod_makes_the_pods_of_a_gateway_of_the_gateway_api_so_it_gets_the_patch(tmp_path: Path) -> None:
    (options,) = rendered(configured(tmp_path), GATEWAY_API, part="gateway-pods")

    assert (options["kind"], options["metadata"]["namespace"]) == ("ConfigMap", "shop")
    assert list(yaml.safe_load(options["data"]["deployment"])) == ["spec"]
