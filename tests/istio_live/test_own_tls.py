"""The server without a sidecar: mutual TLS between the gateway and the server's own port, by the DestinationRule.

The stub has no Secrets to give out, so the gateway's certificate is named as files, which Istio's agent gives to Envoy;
everything else is what `render istio` prints.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conformance.wire import upstream
from faults.stage import get, post
from istio_live.agent import agent
from istio_live.control_plane import ControlPlane, free_port
from istio_live.gateway import Gateway
from istio_live.stage import CLASSIC, OK, UNHURRIED, Mesh, Servers, mesh
from istio_live.test_doctor import found
from server.authority import GATEWAY, Authority, Files, Identity
from server.serving import serving, until

from extproc.config import load_settings
from extproc.istio.attachment import Attachment
from extproc.istio.manifests.pod import Workload as Pods
from extproc.istio.manifests.render import render

CA = Authority()
HOST = "extproc.extproc.svc.cluster.local"
ATTACK = post(b'{"a": "attack"}')
REFUSED = "extproc_tls_refused_total"
FILES = {"clientCertificate": "/tls/tls.crt", "privateKey": "/tls/tls.key", "caCertificates": "/tls/ca.crt"}


@asynccontextmanager
async def over_own_tls(plane: ControlPlane, folder: Path, gateway: Identity, server: Identity) -> AsyncIterator[Mesh]:
    """A gateway and a server with these certificates, both of which trust CA."""
    port = free_port()
    files = Files(folder / "tls").write(server, CA.root)
    config = {"listen": f"127.0.0.1:{port}", "tls": dict(files.settings), **UNHURRIED}
    async with upstream() as recorder, serving(folder, config) as ours, agent(CA.root, gateway) as sds:
        recorder.answer = OK
        async with mesh(plane, Servers(ours, port, recorder), folder, agent=sds) as shop:
            plane.objects.apply([_rule(folder / "extproc.yaml")])
            await until(lambda: _secured(shop.gateway))
            yield shop


async def _secured(gateway: Gateway) -> bool:
    """Whether the rule has arrived and what it names is there: before, 503 would prove nothing."""
    clusters = [each["cluster"] for each in await gateway.dump("dynamic_active_clusters")]
    return any("transport_socket" in each for each in clusters if HOST in each["name"])


def _rule(configuration: Path) -> dict:
    pods = Pods(image="extproc", memory_bytes=1 << 30)
    documents = render(load_settings(configuration), Attachment(CLASSIC.gateway), pods, "server")
    (rule,) = (dict(each) for each in documents if each["kind"] == "DestinationRule")
    tls = rule["spec"]["trafficPolicy"]["tls"]
    assert tls.pop("credentialName") == "extproc-gateway-tls"
    tls.update(FILES)
    return rule


def test_the_gateway_gets_verdicts_with_its_certificate_and_the_doctor_finds_nothing(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        async with over_own_tls(plane, tmp_path, CA.certify(GATEWAY), CA.certify(HOST)) as shop:
            passed, denied = await shop.send(get()), await shop.send(ATTACK)
            return passed.status, denied.status, len(shop.upstream.seen), await found(shop)

    assert runner.run(play()) == (200, 403, 1, set())


def test_a_gateway_of_another_name_gets_no_verdict_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        async with over_own_tls(plane, tmp_path, CA.certify("other.example"), CA.certify(HOST)) as shop:
            answer = await shop.send(get())
            return answer.status, shop.upstream.seen, await until(lambda: shop.server.metric(REFUSED))

    assert runner.run(play()) == (503, [], 1)


def test_a_server_of_another_name_is_not_asked_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        other = CA.certify("other.extproc.svc.cluster.local")
        async with over_own_tls(plane, tmp_path, CA.certify(GATEWAY), other) as shop:
            answer = await shop.send(get())
            return answer.status, shop.upstream.seen, await shop.server.metric(REFUSED)

    assert runner.run(play()) == (503, [], 0)
