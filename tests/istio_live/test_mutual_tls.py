"""Mutual TLS between the gateway and the server's pod, by istiod's certificates and the objects that `render` prints.

Both ends are what istiod makes of them: the gateway by the DestinationRule, the pod's sidecar by the PeerAuthentication
and the AuthorizationPolicy.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import pytest
from faults.stage import get, post
from istio_live.agent import agent, certified
from istio_live.certificates import Authority
from istio_live.control_plane import ControlPlane
from istio_live.readme import carried_out, steps
from istio_live.sidecar import ACCOUNT, Sidecar, access, sidecar
from istio_live.stage import CLASSIC, GATEWAY_API, Api, Mesh, Servers, mesh
from server.serving import until
from typing_extensions import Unpack

from extproc.config import load_settings
from extproc.istio.attachment import Attachment

OTHER = ("default", "other")
ATTACK = post(b'{"a": "attack"}')


@dataclass
class Pod:
    """The server's pod: its sidecar can be stopped and started."""

    stack: AsyncExitStack
    plane: ControlPlane
    folder: Path
    server: int
    account: tuple[str, str]

    async def start(self) -> Sidecar:
        one = sidecar(self.plane, self.folder, server=self.server, account=self.account)
        return await self.stack.enter_async_context(one)

    async def stop(self) -> None:
        await self.stack.aclose()


class Differently(TypedDict, total=False):
    """The gateway, the account (namespace, name) of its certificate, the root that it trusts, the kinds left out.

    `server`: the account of the certificate of the server's pod.
    """

    api: Api
    account: tuple[str, str]
    root: bytes
    without: Collection[str]
    server: tuple[str, str]


@asynccontextmanager
async def secured(
    plane: ControlPlane, behind: Servers, folder: Path, **differently: Unpack[Differently]
) -> AsyncIterator[tuple[Mesh, Pod]]:
    """A gateway that reaches the server through the sidecar of its pod alone."""
    config = load_settings(behind.ours.folder / "extproc.yaml")
    api = differently.get("api", CLASSIC)
    objects = access(config, Attachment(api.gateway), differently.get("without", ()))
    own = (api.gateway.namespace, api.gateway.service_account)
    identity = await certified(plane, *differently.get("account", own))
    root = differently.get("root", plane.root)
    async with agent(root, identity) as sds, mesh(plane, behind, folder, api, agent=sds) as shop:
        pod = Pod(AsyncExitStack(), plane, folder, behind.port, differently.get("server", ACCOUNT))
        await shop.gateway.apply(objects)
        try:
            yield shop, pod
        finally:
            await pod.stop()


async def asked(
    plane: ControlPlane, behind: Servers, folder: Path, **differently: Unpack[Differently]
) -> tuple[int, int]:
    """The status of a harmless request, and how many requests reached the application."""
    async with secured(plane, behind, folder, **differently) as (shop, pod):
        await pod.start()
        return (await shop.send(get())).status, len(shop.upstream.seen)


PASSED, REFUSED = (200, 1), (503, 0)


@pytest.mark.parametrize("api", [CLASSIC, GATEWAY_API], ids=["classic", "gateway-api"])
def test_the_server_is_reached_with_the_identity_of_the_gateway(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path, api: Api
) -> None:
    identity = f"spiffe://cluster.local/ns/istio-ingress/sa/{api.service}"

    async def play() -> object:
        async with secured(plane, behind, tmp_path, api=api) as (shop, pod):
            inbound = await pod.start()
            shown = await carried_out(steps("mtls", "Verify"), {"GATEWAY": f"http://{shop.gateway.address}"})
            return shown, (await shop.send(ATTACK)).status, await until(inbound.callers)

    assert runner.run(play()) == (steps("mtls", "Verify"), 403, {identity})


def test_another_identity_of_the_mesh_gets_no_verdict_so_nothing_passes_and_the_policy_is_why(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    async def play() -> object:
        async with secured(plane, behind, tmp_path, account=OTHER) as (shop, pod):
            inbound = await pod.start()
            return (await shop.send(get())).status, shop.upstream.seen, await until(inbound.refused)

    assert runner.run(play()) == (503, [], {"spiffe://cluster.local/ns/default/sa/other"})
    assert runner.run(asked(plane, behind, tmp_path, account=OTHER, without={"AuthorizationPolicy"})) == PASSED


def test_nobody_gets_a_verdict_in_plain_text_and_the_peer_authentication_is_why(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    """Without the AuthorizationPolicy in both, for it refuses whoever has no identity."""
    plain = {"DestinationRule", "AuthorizationPolicy"}
    assert runner.run(asked(plane, behind, tmp_path, without=plain)) == REFUSED
    assert runner.run(asked(plane, behind, tmp_path, without=plain | {"PeerAuthentication"})) == PASSED


def test_a_server_of_another_authority_is_not_asked_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    assert runner.run(asked(plane, behind, tmp_path, root=Authority().root)) == REFUSED


def test_another_identity_is_not_taken_for_the_server_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, behind: Servers, tmp_path: Path
) -> None:
    assert runner.run(asked(plane, behind, tmp_path, server=OTHER)) == REFUSED


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
