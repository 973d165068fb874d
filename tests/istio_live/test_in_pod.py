"""The server beside the gateway, asked over a Unix socket: the cluster comes with the EnvoyFilter, by way of istiod."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import yaml
from conformance.wire import upstream
from faults.stage import code, get, post, receipts_of, unreceipted
from istio_live.control_plane import ControlPlane
from istio_live.stage import CLASSIC, GATEWAY_API, OK, UNHURRIED, Api, Mesh, Servers, mesh
from istio_live.test_doctor import found, probed
from istio_live.test_mistakes import ENFORCED, outcome
from server.serving import serving, until
from typer.testing import CliRunner

from extproc.cli.render import app

ATTACK = post(b'{"a": "attack"}')
GATEWAYS = pytest.mark.parametrize("pod", [CLASSIC, GATEWAY_API], ids=["classic", "gateway-api"], indirect=True)
OPTIONS = {
    "istio-ingressgateway": ["--selector", "istio=ingressgateway"],
    "shop-istio": ["--gateway", "gateway-api", "--gateway-name", "shop"],
}
"""What the command is told, by the gateway's Service."""


@asynccontextmanager
async def beside(plane: ControlPlane, folder: Path, api: Api) -> AsyncIterator[tuple[Mesh, AsyncExitStack]]:
    """A gateway with the server beside it, and the stack by whose closing the server goes away."""
    server = AsyncExitStack()
    async with upstream() as recorder, server:
        recorder.answer = OK
        ours = await server.enter_async_context(serving(folder, UNHURRIED))
        async with mesh(plane, Servers(ours, 0, recorder), folder, api, profile="in-pod") as shop:
            yield shop, server


@pytest.fixture(scope="module")
def pod(
    request: pytest.FixtureRequest,
    plane: ControlPlane,
    runner: asyncio.Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mesh]:
    stack = AsyncExitStack()
    shop, _ = runner.run(stack.enter_async_context(beside(plane, tmp_path_factory.mktemp("pod"), request.param)))
    yield shop
    runner.run(stack.aclose())


@GATEWAYS
def test_the_gateway_has_what_the_command_prints(pod: Mesh) -> None:
    config = ["--config", str(pod.server.folder / "extproc.yaml"), "--profile", "in-pod", "--part", "gateway"]
    where = ["--gateway-namespace", "istio-ingress", *OPTIONS[pod.gateway.workload.service]]
    printed = CliRunner().invoke(app, ["istio", *config, *where], catch_exceptions=False).stdout
    assert list(yaml.safe_load_all(printed)) == [pod.attachment]


@GATEWAYS
def test_the_cluster_that_is_asked_is_the_socket(runner: asyncio.Runner, pod: Mesh) -> None:
    clusters = [one["cluster"] for one in runner.run(pod.gateway.dump("dynamic_active_clusters"))]
    (ours,) = [one for one in clusters if one["name"] == "extproc"]
    (endpoints,) = ours["load_assignment"]["endpoints"]
    (endpoint,) = endpoints["lb_endpoints"]
    assert endpoint["endpoint"]["address"] == {"pipe": {"path": f"{pod.server.folder}/x.sock"}}
    assert not [one["name"] for one in clusters if "extproc.svc" in one["name"]]


@GATEWAYS
def test_a_request_that_is_allowed_reaches_the_application_with_its_receipt(runner: asyncio.Runner, pod: Mesh) -> None:
    pod.upstream.seen.clear()
    pod.log.news()
    answer = runner.run(pod.send(get()))
    receipts = runner.run(receipts_of(pod.log, 2))
    verdicts = [(one["phase"], one["decision"]["verdict"]) for one in receipts]
    assert (answer.status, verdicts) == (200, [("request", "allow"), ("response", "allow")])
    assert unreceipted(pod.upstream.seen, receipts) == []


@GATEWAYS
def test_a_request_that_is_denied_reaches_nothing_and_has_a_receipt(runner: asyncio.Runner, pod: Mesh) -> None:
    pod.upstream.seen.clear()
    pod.log.news()
    answer = runner.run(pod.send(ATTACK))
    receipts = runner.run(receipts_of(pod.log, 1))
    verdicts = [(one["phase"], one["decision"]["verdict"]) for one in receipts]
    assert (answer.status, code(answer), pod.upstream.seen, verdicts) == (403, "attack", [], [("request", "deny")])


@GATEWAYS
def test_the_doctor_finds_nothing_and_its_probe_is_denied(runner: asyncio.Runner, pod: Mesh) -> None:
    assert (runner.run(found(pod)), runner.run(probed(pod))) == (set(), "probe_denied")


def test_while_the_server_is_away_nothing_passes_and_when_it_is_back_it_is_asked_again(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        async with beside(plane, tmp_path, CLASSIC) as (shop, server):
            await server.aclose()
            shop.upstream.seen.clear()
            away = {(await shop.send(get())).status for _ in range(20)}, await probed(shop)
            reached = list(shop.upstream.seen)
            async with serving(tmp_path, UNHURRIED):

                async def passes() -> bool:
                    return (await shop.send(get())).status == 200

                return away, reached, await until(passes), await outcome(shop)

    away, reached, back, after = runner.run(play())
    assert (away, reached, back, after) == (({503}, "probe_unmarked"), [], True, ENFORCED)
