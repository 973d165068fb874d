"""Mutual TLS between the gateway and the server's pod, and what happens when the server is away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from faults.stage import get, post
from istio_live.agent import agent
from istio_live.certificates import Authority, Identity
from istio_live.control_plane import ControlPlane, free_port
from istio_live.readme import carried_out, steps
from istio_live.sidecar import Sidecar, sidecar
from istio_live.stage import CLASSIC, Mesh, Servers, mesh
from istio_live.workloads import Workload
from server.serving import until

from extproc.config import load_settings
from extproc.istio.attachment import Attachment
from extproc.istio.manifests.pod import Workload as Pods
from extproc.istio.manifests.render import render

AUTHORITY = Authority()
GATEWAY_ID = "spiffe://cluster.local/ns/istio-ingress/sa/istio-ingressgateway"
GATEWAY = AUTHORITY.identity("istio-ingress", "istio-ingressgateway")
ATTACK = post(b'{"a": "attack"}')


@dataclass
class Pod:
    """The server's pod: its sidecar can be stopped and started."""

    port: int
    stack: AsyncExitStack
    plane: ControlPlane
    folder: Path
    server: int

    async def start(self, service_account: str = "extproc") -> Sidecar:
        one = sidecar(
            self.plane.tools.envoy,
            self.folder,
            root=AUTHORITY.root,
            identity=AUTHORITY.identity("extproc", service_account),
            caller=GATEWAY_ID,
            port=self.port,
            server=self.server,
        )
        return await self.stack.enter_async_context(one)

    async def stop(self) -> None:
        await self.stack.aclose()


@asynccontextmanager
async def secured(
    plane: ControlPlane, behind: Servers, folder: Path, *, identity: Identity = GATEWAY, root: bytes = AUTHORITY.root
) -> AsyncIterator[tuple[Mesh, Pod]]:
    """A gateway with this certificate, that reaches the server through the sidecar of its pod alone."""
    settings = load_settings(behind.ours.folder / "extproc.yaml")
    rendered = render(settings, Attachment(CLASSIC.gateway), Pods(image="extproc", memory_bytes=1 << 30), "server")
    rules = [dict(one) for one in rendered if one["kind"] == "DestinationRule"]
    async with agent(root, identity) as sds, mesh(plane, behind, folder, agent=sds) as shop:
        pod = Pod(free_port(), AsyncExitStack(), plane, folder, shop.port)
        plane.objects.apply(
            [*rules, Workload("extproc", "extproc", {"grpc": (9000, pod.port)}, shop.workload.labels).endpoints()]
        )
        await shop.gateway.settled()
        try:
            yield shop, pod
        finally:
            await pod.stop()


def test_the_server_is_reached_with_the_identity_of_the_gateway(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> object:
        async with secured(plane, behind, tmp_path) as (shop, pod):
            inbound = await pod.start()
            shown = await carried_out(steps("mtls", "Verify"), {"GATEWAY": f"http://{shop.gateway.address}"})
            return shown, (await shop.send(ATTACK)).status, await until(inbound.callers)

    assert runner.run(play()) == (steps("mtls", "Verify"), 403, {GATEWAY_ID})


def test_another_identity_of_the_mesh_gets_no_verdict_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> object:
        other = AUTHORITY.identity("default", "other")
        async with secured(plane, behind, tmp_path, identity=other) as (shop, pod):
            await pod.start()
            return (await shop.send(get())).status, shop.upstream.seen

    assert runner.run(play()) == (503, [])


def test_a_server_of_another_authority_is_not_asked_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> object:
        async with secured(plane, behind, tmp_path, root=Authority().root) as (shop, pod):
            await pod.start()
            return (await shop.send(get())).status, shop.upstream.seen

    assert runner.run(play()) == (503, [])


def test_another_identity_of_the_mesh_is_not_taken_for_the_server_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> object:
        async with secured(plane, behind, tmp_path) as (shop, pod):
            inbound = await pod.start("impostor")
            return (await shop.send(get())).status, shop.upstream.seen, await inbound.callers()

    assert runner.run(play()) == (503, [], set())


def test_while_the_server_is_away_every_request_is_refused_and_when_it_is_back_they_pass(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> object:
        async with secured(plane, behind, tmp_path) as (shop, pod):
            away = {(await shop.send(get())).status for _ in range(20)}
            reached = list(shop.upstream.seen)
            await pod.start()

            async def passes() -> bool:
                return (await shop.send(get())).status == 200

            return away, reached, await until(passes)

    away, reached, back = runner.run(play())
    assert (away <= {503, 504}, reached, back) == (True, [], True)
