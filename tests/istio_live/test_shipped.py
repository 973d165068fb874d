"""What is committed and what the chart makes, as it stands, on a gateway of istiod's: the doctor finds nothing."""

import asyncio
import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from istio.manifests.test_chart import templated
from istio.manifests.test_kustomize import FOLDER, OVERLAYS, built
from istio_live.agent import agent, certified
from istio_live.control_plane import ControlPlane
from istio_live.gateway import gateway, ingress
from istio_live.objects import Object
from istio_live.sidecar import ACCESS, POD
from istio_live.stage import manifests
from istio_live.stories import LABELS, objects
from istio_live.workloads import namespace

from extproc.config import load_settings
from extproc.istio.attachment import NAME
from extproc.istio.doctor.examine import examine, expected_of
from extproc.istio.doctor.sources import from_admin

OURS = ["extproc.response_guard", "extproc.strip_client_headers", "extproc.policy", "extproc.request_guard"]
API_LABELS = {"gateway.networking.k8s.io/gateway-name": "gateway"}


def listeners(api: bool) -> list[Object]:  # noqa: FBT001 - classic, or the Gateway API
    """A gateway of the name that the manifests have."""
    if not api:
        return objects("quickstart")
    renamed = [one for one in copy.deepcopy(manifests("gateway-api.yaml")) if one["kind"] != "GatewayClass"]
    for each in renamed:
        each["metadata"]["name"] = "gateway"
        for parent in each["spec"].get("parentRefs", []):
            parent["name"] = "gateway"
    return renamed


def applied(documents: Sequence[Object]) -> list[Object]:
    """What of it istiod reads, and what the cluster would add."""
    _, service, endpoints = POD.objects()
    read = [copy.deepcopy(one) for one in documents if one["kind"] in {*ACCESS, "EnvoyFilter"}]
    for one in read:
        if one["kind"] == "Service":
            one["spec"]["clusterIP"] = service["spec"]["clusterIP"]
    return [*read, endpoints]


async def seen(
    plane: ControlPlane, documents: Sequence[Object], folder: Path, labels: Mapping[str, str], config: Path
) -> tuple[list[str], set[str]]:
    """Our filters in the gateway, in their order, and what the doctor finds."""
    (ours,) = [one for one in documents if one["kind"] == "EnvoyFilter"]
    servers = [one["metadata"]["namespace"] for one in documents if one["kind"] == "Service"]  # in-pod there is none
    home = ours["metadata"]["namespace"]
    name = "gateway-istio" if "targetRefs" in ours["spec"] else "istio-ingressgateway"
    async with agent(plane.root, await certified(plane, home, name)) as sds:
        with plane.objects.scene():
            plane.objects.apply([namespace("istio-system"), namespace(home), *listeners(name == "gateway-istio")])
            plane.objects.apply(applied(documents))
            async with gateway(plane, ingress(name, home, labels), folder, agent=sds) as attached:
                source = await from_admin(f"http://{attached.admin}")
                expected = expected_of(load_settings(config), namespace=servers[0] if servers else NAME)
                found = examine(source.dump, expected, source.process)
                names = [one for one in await attached.filters() if one.startswith("extproc.")]
                return names, {each.id for each in found}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_sound(runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path, overlay: str) -> None:
    config = FOLDER / "configurations" / f"{OVERLAYS[overlay][0]}.yaml"
    labels = API_LABELS if overlay == "gateway-api" else LABELS
    filters = OURS[1:] if overlay == "request-only" else OURS
    noted = {"unenforced"} if overlay == "shadow" else set()
    assert runner.run(seen(plane, built(FOLDER / "overlays" / overlay), tmp_path, labels, config)) == (filters, noted)


def test_the_chart_is_sound(runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path) -> None:
    config = FOLDER / "configurations/service.yaml"
    labels = {**LABELS, "extproc": "enabled"}
    assert runner.run(seen(plane, templated(tmp_path, {}), tmp_path, labels, config)) == (OURS, set())
