"""The doctor before a gateway that istiod configures: clean as rendered, and each mistake is named."""

import asyncio
from pathlib import Path

import pytest
from istio_live.control_plane import ControlPlane
from istio_live.istioctl import proxy_config
from istio_live.stage import CLASSIC, GATEWAY_API, Mesh, Servers
from istio_live.test_mistakes import MISTAKES, Mistake, misspelt_field
from istio_live.test_mutual_tls import secured

from extproc.config import Settings, load_settings
from extproc.istio.attachment import Attachment
from extproc.istio.doctor.examine import examine, expected_of
from extproc.istio.doctor.probe import ask, probe_of
from extproc.istio.doctor.process import NOT_ASKED
from extproc.istio.doctor.sources import from_admin
from extproc.istio.mapping import envoy_filter_of

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
    "version_of_another_release": ("not_attached", "probe_uninspected"),
    "target_refs_beside_workload_selector": ("not_attached", "probe_uninspected"),
    "only_envoy_checks_it": ("update_rejected", "probe_denied"),
}
"""What the doctor finds, and what its probe (an attack in a body) becomes."""
REMOVED = ("not_attached", "probe_uninspected")
"""The same once the EnvoyFilter is gone."""


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


def test_an_exclusion_that_names_no_route_is_an_error(runner: asyncio.Runner, shop: Mesh) -> None:
    gateway = Attachment(CLASSIC.gateway, excluded_routes=("nothing",))
    wrong = dict(envoy_filter_of(settings_of(shop), gateway).document())
    (patch,) = (each for each in wrong["spec"]["configPatches"] if each["applyTo"] == "HTTP_ROUTE")
    del patch["match"]

    async def play() -> tuple[set[str], str]:
        with shop.gateway.plane.objects.scene():
            await shop.gateway.apply([wrong])
            seen = await found(shop), await probed(shop)
        await shop.gateway.apply([shop.attachment])
        return seen

    ids, outcome = runner.run(play())
    assert (ids - OF_THIS_MESH, outcome) == ({"host_excluded"}, "probe_uninspected")


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


async def read_both_ways(shop: Mesh, folder: Path) -> tuple[set[str], set[str]]:
    """What is found in Envoy's own dump, and in what istioctl makes of it."""
    dump = (await from_admin(f"http://{shop.gateway.admin}")).dump
    ways = (dump, proxy_config(dump, folder))
    own, printed = ({each.id for each in examine(way, expected_of(settings_of(shop)), NOT_ASKED)} for way in ways)
    return own, printed


def test_the_same_is_found_in_what_istioctl_prints(runner: asyncio.Runner, shop: Mesh, tmp_path: Path) -> None:
    wrong = next(mistake for mistake in MISTAKES if mistake.make is misspelt_field).of(shop.attachment)

    async def play() -> object:
        sound = await read_both_ways(shop, tmp_path)
        await shop.gateway.apply([wrong])
        broken = await read_both_ways(shop, tmp_path)
        await shop.gateway.apply([shop.attachment])
        return sound, broken

    broken = OF_THIS_MESH | {"message_timeout"}
    assert runner.run(play()) == ((OF_THIS_MESH, OF_THIS_MESH), (broken, broken))


def test_a_filter_that_was_taken_away_is_named(runner: asyncio.Runner, shop: Mesh) -> None:
    async def play() -> tuple[set[str], str]:
        await shop.gateway.delete([shop.attachment])
        seen = await found(shop), await probed(shop)
        await shop.gateway.apply([shop.attachment])
        return seen

    finding, probe = REMOVED
    ids, outcome = runner.run(play())
    assert (ids - OF_THIS_MESH, outcome) == ({finding}, probe)
