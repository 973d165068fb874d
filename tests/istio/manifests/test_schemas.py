"""Every object is what Kubernetes and Istio say it may be, in the oldest and in the newest version that we run on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from istio.manifests.rendering import (
    CLASSIC,
    GATEWAY_API,
    IN_POD,
    SCHEMAS,
    TLS,
    WORKLOAD,
    Object,
    configured,
    one,
    problems,
    rendered,
)

from extproc.istio.attachment import Attachment
from extproc.istio.manifests.pod import Workload

SOCKET = "listen: unix:///run/extproc/extproc.sock\n"


def test_two_versions_of_kubernetes_are_there() -> None:
    assert [each.name for each in SCHEMAS] == ["1.30.0", "1.37.0"]


@pytest.mark.parametrize("schemas", SCHEMAS, ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("attachment", "workload", "text"),
    [
        (CLASSIC, WORKLOAD, ""),
        (replace(CLASSIC, excluded_routes=("health",)), replace(WORKLOAD, revision="stable"), ""),
        (GATEWAY_API, replace(WORKLOAD, storage_class="fast"), ""),
        (IN_POD, WORKLOAD, SOCKET),
        (CLASSIC, WORKLOAD, TLS),
    ],
    ids=["classic", "excluded route", "gateway api", "in-pod", "TLS of our own"],
)
def test_every_object_fits_its_schema(
    tmp_path: Path, attachment: Attachment, workload: Workload, text: str, schemas: Path
) -> None:
    assert problems(rendered(configured(tmp_path, text), attachment, workload), schemas) == ""


@pytest.mark.parametrize("schemas", SCHEMAS, ids=lambda path: path.name)
def test_a_patch_of_the_gateways_pods_fits_a_deployment(tmp_path: Path, schemas: Path) -> None:
    (patch,) = rendered(configured(tmp_path, SOCKET), IN_POD, part="gateway-pods")
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "gateway"}, **patch}
    whole["spec"] = {"selector": {"matchLabels": {"istio": "ingress"}}, **patch["spec"]}

    assert problems([whole], schemas) == ""


MISTAKES: dict[str, Callable[[list[Object]], object]] = {
    "Deployment": lambda all_: one(all_, "Deployment")["spec"]["template"]["spec"].update(serviceAcountName="x"),
    "NetworkPolicy": lambda all_: one(all_, "NetworkPolicy")["spec"].update(ingres=[]),
    "DestinationRule": lambda all_: one(all_, "DestinationRule")["spec"]["trafficPolicy"].update(tl={}),
    "EnvoyFilter": lambda all_: one(all_, "EnvoyFilter")["spec"]["configPatches"][0].update(applyT="LISTENER"),
    "AuthorizationPolicy": lambda all_: one(all_, "AuthorizationPolicy")["spec"].update(rule=[]),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_the_schemas_know_a_misspelt_field(tmp_path: Path, kind: str) -> None:
    documents = rendered(configured(tmp_path))
    MISTAKES[kind](documents)

    assert f"{kind} extproc is invalid" in problems(documents, SCHEMAS[-1])
