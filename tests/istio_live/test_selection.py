"""Which traffic is ours: the selected gateway and no other, every route but those excluded on purpose."""

import asyncio
import copy
from collections.abc import Callable
from pathlib import Path

import pytest
from conformance.exchange import Message
from faults.stage import get, post
from istio_live.gateway import gateway, ingress
from istio_live.objects import Object
from istio_live.stage import CLASSIC, Mesh, manifests
from istio_live.test_mistakes import ENFORCED, OPEN, Outcome, outcome
from istio_live.workloads import namespace

from extproc.config import load_settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import Attachment, ingress_gateway
from extproc.istio.mapping import envoy_filter_of
from extproc.istio.recognition import check

OURS = ["extproc.response_guard", "extproc.strip_client_headers", "extproc.policy", "extproc.request_guard"]
ATTACK = b'{"a": "attack"}'


def test_a_gateway_beside_the_selected_one_is_left_alone(runner: asyncio.Runner, shop: Mesh, tmp_path: Path) -> None:
    labels = {"istio": "internal"}
    internal, route = copy.deepcopy(manifests("classic.yaml"))
    internal["metadata"]["name"], internal["spec"]["selector"] = "internal", labels
    route["metadata"]["name"], route["spec"]["gateways"] = "internal", ["internal"]

    async def play() -> object:
        plane = shop.gateway.plane
        with plane.objects.scene():
            plane.objects.apply([internal, route])
            async with gateway(plane, ingress("internal", "istio-ingress", labels), tmp_path) as other:
                answer = await other.send(post(ATTACK))
                names = [name for name in await other.filters() if name.startswith("extproc.")]
                return answer.status, names, await outcome(shop)

    assert runner.run(play()) == (200, [], ENFORCED)


@pytest.mark.parametrize(("selector", "attached"), [((), []), (("istio=ingressgateway",), OURS)])
def test_a_gateway_of_another_namespace_is_left_alone_unless_the_label_is_everybodys(
    runner: asyncio.Runner, shop: Mesh, tmp_path: Path, selector: tuple[str, ...], attached: list[str]
) -> None:
    """The stock gateway's namespace is Istio's root namespace, whose EnvoyFilters are for all."""
    stock = ingress_gateway(kind="classic", namespace="istio-system", name=None, service_account=None, labels=selector)
    settings = load_settings(shop.server.folder / "extproc.yaml")
    ours = envoy_filter_of(settings, Attachment(stock)).document()
    labels = {"istio": "ingressgateway", "team": "a"}
    listener, route = copy.deepcopy(manifests("classic.yaml"))
    listener["spec"]["selector"] = {"team": "a"}
    for each in (listener, route):
        each["metadata"] |= {"namespace": "team-a", "name": "team"}
    route["spec"]["gateways"] = ["team"]

    async def play() -> list[str]:
        plane = shop.gateway.plane
        with plane.objects.scene():
            plane.objects.apply([namespace("team-a"), listener, route, ours])
            async with gateway(plane, ingress("team", "team-a", labels), tmp_path) as other:
                return [name for name in await other.filters() if name.startswith("extproc.")]

    assert runner.run(play()) == attached


def _with_route(match: Object) -> list[Object]:
    """The application's routes, with one for /health before."""
    listener, route = copy.deepcopy(manifests("classic.yaml"))
    route["spec"]["http"].insert(0, {**route["spec"]["http"][0], "name": "health", "match": [match]})
    return [listener, route]


HEALTH = _with_route({"uri": {"exact": "/health"}})


def excluding(shop: Mesh, *routes: str) -> Object:
    settings = load_settings(shop.server.folder / "extproc.yaml")
    return dict(envoy_filter_of(settings, Attachment(CLASSIC.gateway, excluded_routes=routes)).document())


def _health(method: str = "POST") -> Message:
    return Message(method=method, target="/health", body=ATTACK, headers=post(ATTACK).headers)


def test_a_route_that_is_excluded_on_purpose_passes_unseen_and_no_other_does(
    runner: asyncio.Runner, shop: Mesh
) -> None:
    async def play() -> object:
        await shop.gateway.apply([*HEALTH, excluding(shop, "health")])
        shop.log.news()
        excluded = await shop.send(_health())
        receipts = shop.log.news()
        seen = excluded.status, receipts, await outcome(shop)
        await shop.gateway.apply([*manifests("classic.yaml"), shop.attachment])
        return seen

    assert runner.run(play()) == (200, [], ENFORCED)


@pytest.mark.parametrize(("excluded", "status"), [("*/health", 403), ("gateway.test/health", 200), ("health", 200)])
def test_the_routes_name_alone_is_anybodys_and_with_a_host_it_is_that_hosts(
    runner: asyncio.Runner, shop: Mesh, excluded: str, status: int
) -> None:
    """Another team names a route of its own host, for every path, as the one that is excluded."""
    team = copy.deepcopy(manifests("classic.yaml")[1])
    team["metadata"] |= {"name": "team", "namespace": "team"}
    team["spec"] |= {"hosts": ["gateway.test"], "gateways": ["istio-ingress/shop"]}
    team["spec"]["http"][0]["name"] = "health"

    async def play() -> int:
        with shop.gateway.plane.objects.scene():
            await shop.gateway.apply([team, excluding(shop, excluded)])
            answer = await shop.send(post(ATTACK))
        await shop.gateway.apply([shop.attachment])
        return answer.status

    assert runner.run(play()) == status


def without_its_route(attachment: Object) -> None:
    del attachment["spec"]["configPatches"][-1]["match"]["routeConfiguration"]


def merged_into_what_is_not_there(attachment: Object) -> None:
    for patch in attachment["spec"]["configPatches"]:
        if patch["applyTo"] == "HTTP_FILTER":
            patch["patch"]["operation"] = "MERGE"


@pytest.mark.parametrize("mistake", [without_its_route, merged_into_what_is_not_there])
def test_what_opens_every_route_is_refused_before(
    runner: asyncio.Runner, shop: Mesh, mistake: Callable[[Object], None]
) -> None:
    wrong = excluding(shop, "health")
    check(wrong)
    mistake(wrong)

    async def play() -> Outcome:
        with shop.gateway.plane.objects.scene():
            await shop.gateway.apply([wrong])
            seen = await outcome(shop)
        await shop.gateway.apply([shop.attachment])
        return seen

    assert runner.run(play()) == OPEN
    with pytest.raises(ConfigurationError):
        check(wrong)


def test_a_route_that_is_excluded_on_the_filter_alone_is_refused_by_the_guard(
    runner: asyncio.Runner, shop: Mesh
) -> None:
    half = excluding(shop, "health")
    for patch in half["spec"]["configPatches"]:
        patch["patch"]["value"].get("typed_per_filter_config", {}).pop("extproc.request_guard", None)

    async def play() -> object:
        await shop.gateway.apply([*HEALTH, half])
        refused = await shop.send(_health())
        seen = refused.status, refused.body, await outcome(shop)
        await shop.gateway.apply([*manifests("classic.yaml"), shop.attachment])
        return seen

    assert runner.run(play()) == (403, b"RBAC: access denied", ENFORCED)


def test_a_route_that_is_excluded_on_the_guard_alone_is_still_decided(runner: asyncio.Runner, shop: Mesh) -> None:
    half = excluding(shop, "health")
    for patch in half["spec"]["configPatches"]:
        patch["patch"]["value"].get("typed_per_filter_config", {}).pop("extproc.policy", None)

    async def play() -> object:
        await shop.gateway.apply([*HEALTH, half])
        denied = await shop.send(_health())
        seen = denied.status, dict(denied.headers)["x-extproc-verdict"], (await shop.send(get())).status
        await shop.gateway.apply([*manifests("classic.yaml"), shop.attachment])
        return seen

    assert runner.run(play()) == (403, "deny", 200)
