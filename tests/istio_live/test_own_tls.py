"""The server without a sidecar: mutual TLS between the gateway and the server's own port, by the DestinationRule.

The rule is what `render istio` prints.  Its Secret is in the gateway's namespace, and istiod gives it to the gateway.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from conformance.wire import upstream
from faults.stage import get, post
from istio_live.control_plane import ControlPlane, free_port
from istio_live.gateway import Gateway
from istio_live.objects import Object
from istio_live.stage import CLASSIC, GATEWAY_API, OK, UNHURRIED, Api, Mesh, Servers, mesh
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


def secret(identity: Identity, **content: bytes) -> Object:
    """As cert-manager makes it of CA; `content` replaces a key, or takes it away with nothing in it."""
    files = {"tls.crt": identity.certificate, "tls.key": identity.key, "ca.crt": CA.root} | content
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "extproc-gateway-tls", "namespace": CLASSIC.gateway.namespace},
        "type": "kubernetes.io/tls",
        "data": {name: base64.b64encode(each).decode() for name, each in files.items() if each},
    }


RIGHT: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "istio-ingressgateway-sds", "namespace": CLASSIC.gateway.namespace},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "istio-ingressgateway-sds"},
    "subjects": [{"kind": "ServiceAccount", "name": "istio-ingressgateway"}],
}
"""To list Secrets, as Istio's own gateways have it, and those that istiod makes of a Gateway do not."""


@asynccontextmanager
async def over_own_tls(
    plane: ControlPlane, folder: Path, secrets: Sequence[Object], server: Identity, api: Api = CLASSIC
) -> AsyncIterator[Mesh]:
    """A gateway with these Secrets in its namespace, and a server with this certificate that trusts CA."""
    port = free_port()
    files = Files(folder / "tls").write(server, CA.root)
    config = {"listen": f"127.0.0.1:{port}", "tls": dict(files.settings), **UNHURRIED}
    async with upstream() as recorder, serving(folder, config) as ours:
        recorder.answer = OK
        async with mesh(plane, Servers(ours, port, recorder), folder, api) as shop:
            plane.objects.apply([RIGHT, *secrets, _rule(folder / "extproc.yaml")])
            await until(lambda: _secured(shop.gateway))
            yield shop


async def _secured(gateway: Gateway) -> bool:
    """Whether the rule has arrived, and what it names or the time to wait for it: before, 503 would prove nothing."""
    clusters = [each["cluster"] for each in await gateway.dump("dynamic_active_clusters")]
    return any("transport_socket" in each for each in clusters if HOST in each["name"])


def _rule(configuration: Path) -> Object:
    pods = Pods(image="extproc", memory_bytes=1 << 30)
    documents = render(load_settings(configuration), Attachment(CLASSIC.gateway), pods, "server")
    (rule,) = (dict(each) for each in documents if each["kind"] == "DestinationRule")
    return rule


def test_the_gateway_gets_verdicts_with_its_certificate_and_the_doctor_finds_nothing(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        async with over_own_tls(plane, tmp_path, [secret(CA.certify(GATEWAY))], CA.certify(HOST)) as shop:
            passed, denied = await shop.send(get()), await shop.send(ATTACK)
            return passed.status, denied.status, len(shop.upstream.seen), await found(shop)

    assert runner.run(play()) == (200, 403, 1, set())


def test_a_gateway_of_another_name_gets_no_verdict_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        secrets = [secret(CA.certify("other.example"))]
        async with over_own_tls(plane, tmp_path, secrets, CA.certify(HOST)) as shop:
            answer = await shop.send(get())
            return answer.status, shop.upstream.seen, await until(lambda: shop.server.metric(REFUSED))

    assert runner.run(play()) == (503, [], 1)


def test_a_server_of_another_name_is_not_asked_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    async def play() -> object:
        other = CA.certify("other.extproc.svc.cluster.local")
        async with over_own_tls(plane, tmp_path, [secret(CA.certify(GATEWAY))], other) as shop:
            answer = await shop.send(get())
            return answer.status, shop.upstream.seen, await shop.server.metric(REFUSED)

    assert runner.run(play()) == (503, [], 0)


WITHOUT = {
    "its CA": (CLASSIC, {"ca.crt": b""}),
    "a CA of the server's": (CLASSIC, {"ca.crt": Authority().root}),
    "the right to its Secret": (GATEWAY_API, {}),
}


@pytest.mark.parametrize("case", WITHOUT)
def test_a_gateway_without_something_asks_nobody_so_nothing_passes(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path, case: str
) -> None:
    api, content = WITHOUT[case]
    secrets = [secret(CA.certify(GATEWAY), **content)]

    async def play() -> object:
        async with over_own_tls(plane, tmp_path, secrets, CA.certify(HOST), api) as shop:
            answer = await shop.send(get())
            return answer.status, shop.upstream.seen, await shop.server.metric(REFUSED)

    assert runner.run(play()) == (503, [], 0)


def test_nothing_passes_before_the_secret_is_there_and_no_restart_is_needed_once_it_is(
    runner: asyncio.Runner, plane: ControlPlane, tmp_path: Path
) -> None:
    """Envoy waits for it for fifteen seconds, and then takes the cluster without."""

    async def play() -> object:
        async with over_own_tls(plane, tmp_path, [], CA.certify(HOST)) as shop:
            before = await shop.send(get())
            seen = list(shop.upstream.seen)
            plane.objects.apply([secret(CA.certify(GATEWAY))])
            return before.status, seen, await until(lambda: _passes(shop))

    assert runner.run(play()) == (503, [], True)


async def _passes(shop: Mesh) -> bool:
    return (await shop.send(get())).status == 200
