"""The doctor before a gateway that istiod configures: clean as rendered, and each mistake is named."""

import asyncio
from pathlib import Path

import pytest
from istio_live.control_plane import ControlPlane
from istio_live.stage import GATEWAY_API, Mesh, Servers
from istio_live.test_mistakes import MISTAKES, Mistake
from istio_live.test_mutual_tls import secured

from extproc.config import Settings, load_settings
from extproc.istio.doctor.examine import examine, expected_of
from extproc.istio.doctor.probe import ask, probe_of
from extproc.istio.doctor.sources import from_admin

# This mesh has no mutual TLS and no outlier detection: the other test's has.
OF_THIS_MESH = {"no_health_check", "processor_plaintext"}
NAMED = {
    "wrong_label": ("not_attached", "probe_uninspected"),
    "wrong_namespace": ("not_attached", "probe_uninspected"),
    "config_patch_for_config_patches": ("not_attached", "probe_uninspected"),
    "misspelt_sub_filter_everywhere": ("not_attached", "probe_uninspected"),
    "patch_without_value": ("not_attached", "probe_uninspected"),
    "unknown_enumeration_value": ("not_attached", "probe_unmarked"),
    "wrong_type": ("not_attached", "probe_unmarked"),
    "duration_without_unit": ("not_attached", "probe_unmarked"),
    "unknown_message": ("not_attached", "probe_unmarked"),
    "misspelt_field_within_processing_mode": ("request_mode", "probe_unmarked"),
    "responses_that_are_not_sent": ("response_mode", "probe_denied"),
    "misspelt_field": ("message_timeout", "probe_denied"),
    "unknown_cluster": ("cluster_missing", "probe_unmarked"),
    "version_that_is_no_expression": (None, "probe_denied"),
    "only_envoy_checks_it": ("update_rejected", "probe_denied"),
}
"""What the doctor finds, and what its probe (an attack in a body) becomes."""


def settings_of(shop: Mesh) -> Settings:
    return load_settings(shop.server.folder / "extproc.yaml")


async def found(shop: Mesh) -> set[str]:
    source = await from_admin(f"http://{shop.gateway.admin}")
    return {each.id for each in examine(source.dump, expected_of(settings_of(shop)), source.process)}


async def probed(shop: Mesh) -> str:
    probe = probe_of(f"http://{shop.gateway.address}/", ["host: shop.test"], '{"probe": "attack"}')
    return (await ask(probe, settings_of(shop))).id


@pytest.mark.parametrize("shop", [GATEWAY_API], indirect=True, ids=["gateway-api"])
def test_a_gateway_of_the_gateway_api_as_rendered_is_sound(runner: asyncio.Runner, shop: Mesh) -> None:
    assert runner.run(found(shop)) == OF_THIS_MESH
    assert runner.run(probed(shop)) == "probe_denied"


def test_nothing_at_all_is_found_in_a_mesh_with_mutual_tls_and_outlier_detection(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> set[str]:
        async with secured(plane, behind, tmp_path) as (shop, pod):
            await pod.start()
            return await found(shop)

    assert runner.run(play()) == set()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.make.__name__)
def test_each_mistake_is_named(runner: asyncio.Runner, shop: Mesh, mistake: Mistake) -> None:
    wrong = mistake.of(shop.attachment)

    async def play() -> tuple[set[str], str]:
        with shop.gateway.plane.objects.scene():
            if wrong["metadata"] != shop.attachment["metadata"]:
                await shop.gateway.delete([shop.attachment])
            await shop.gateway.apply([wrong])
            seen = await found(shop), await probed(shop)
        await shop.gateway.apply([shop.attachment])
        return seen

    finding, probe = NAMED[mistake.make.__name__]
    ids, outcome = runner.run(play())
    assert (ids - OF_THIS_MESH, outcome) == ({finding} - {None}, probe)
