"""Mutual TLS of the server's own, between a real Envoy and a real server: who is not known gets no verdict."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from conformance.exchange import Message
from conformance.wire import Upstream, send, upstream
from faults.stage import ANY_PORT, OK, get, post
from server.authority import ENDED, GATEWAY, SERVER, Authority, Files, Identity
from server.serving import Server, serving, until
from server.test_serve import consecutive_ports

from extproc.config import load_settings
from extproc.demo.envoy import RunningEnvoy, running_envoy
from extproc.istio.gateway import ClientTls, address_of
from extproc.istio.mapping import gateway_of

CA, OTHER_CA = Authority(), Authority()
RELOADS = 'extproc_tls_reloads_total{outcome="%s"}'
ATTACK = post(b'{"a": "attack"}')


@dataclass
class Stage:
    """A server, an upstream, and Envoys that ask the one and forward to the other."""

    folder: Path
    server: Server
    recorder: Upstream
    files: Files
    _number: count = field(default_factory=count)

    def client(self, identity: Identity, root: bytes) -> ClientTls:
        """The options of `extproc render envoy`, with files of their own."""
        folder = Files(self.folder / f"client-{next(self._number)}").write(identity, root).folder
        return ClientTls(
            certificate=str(folder / "tls.crt"),
            key=str(folder / "tls.key"),
            server_ca=str(folder / "ca.crt"),
            server_san=SERVER,
        )

    @asynccontextmanager
    async def envoy(self, tls: ClientTls | None) -> AsyncIterator[RunningEnvoy]:
        """What `extproc render envoy` prints, running."""
        folder = self.folder / f"envoy-{next(self._number)}"
        folder.mkdir()
        gateway = gateway_of(
            load_settings(self.folder / "extproc.yaml"),
            listen=ANY_PORT,
            upstream=address_of(self.recorder.address),
            admin=ANY_PORT,
            otlp=None,
            tls=tls,
        )
        async with running_envoy(gateway, folder) as envoy:
            yield envoy

    async def answered(self, tls: ClientTls | None, request: Message | None = None) -> tuple[int, int]:
        """What a client of such an Envoy gets, and how many requests the upstream then got."""
        self.recorder.seen.clear()
        async with self.envoy(tls) as envoy:
            answer = await send(envoy.address, request or get())
        return answer.status, len(self.recorder.seen)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    files = Files(folder / "tls").write(CA.certify(SERVER), CA.root)
    config = {
        "listen": f"127.0.0.1:{consecutive_ports(1)}",
        "tls": dict(files.settings),
        # A busy machine fails no test.
        "policy": {"deadline_ms": 15_000},
        "envoy": {"message_timeout_ms": 30_000},
    }
    async with upstream() as recorder, serving(folder, config) as server:
        recorder.answer = OK
        yield Stage(folder, server, recorder, files)


def test_a_gateway_with_the_right_certificate_gets_verdicts(tmp_path: Path) -> None:
    async def play() -> object:
        async with stage(tmp_path) as ours:
            gateway = ours.client(CA.certify(GATEWAY), CA.root)
            passed, denied = await ours.answered(gateway), await ours.answered(gateway, ATTACK)
            ends = await ours.server.metric("extproc_tls_expiry_timestamp_seconds")
            return passed, denied, await ours.server.metric("extproc_tls_refused_total"), ends > 0

    assert asyncio.run(play()) == ((200, 1), (403, 0), 0, True)


def test_a_gateway_that_is_not_known_gets_no_verdict_so_nothing_passes(tmp_path: Path) -> None:
    stranger = "spiffe://cluster.local/ns/default/sa/other"

    async def play() -> object:
        async with stage(tmp_path) as ours:
            good = ours.client(CA.certify(GATEWAY), CA.root)
            gateways = {
                "another name": ours.client(CA.certify(stranger), CA.root),
                "another CA": ours.client(OTHER_CA.certify(GATEWAY), CA.root),
                "out of its time": ours.client(CA.certify(GATEWAY, until=ENDED), CA.root),
                "plaintext": None,
                "a server of another CA": replace(good, server_ca=ours.client(CA.certify(), OTHER_CA.root).server_ca),
                "a server of another name": replace(good, server_san="other.test"),
            }
            seen = {name: await ours.answered(tls) for name, tls in gateways.items()}
            refused = await until(lambda: ours.server.metric("extproc_tls_refused_total"))
            names = [record["names"] for record in ours.server.log() if record["message"] == "a peer may not ask"]
            return seen, refused, names, await ours.answered(good)

    seen, refused, names, good = asyncio.run(play())
    assert seen == dict.fromkeys(seen, (503, 0))
    assert (len(seen), refused, names, good) == (6, 1, [[stranger]], (200, 1))


def test_certificates_are_changed_without_a_restart_and_bad_ones_change_nothing(tmp_path: Path) -> None:
    async def play() -> object:
        async with stage(tmp_path) as ours:
            old = ours.client(CA.certify(GATEWAY), CA.root)
            new = ours.client(OTHER_CA.certify(GATEWAY), OTHER_CA.root)
            async with ours.envoy(old) as before:
                first = (await send(before.address, get())).status
                ours.files.write(Identity(CA.certify(SERVER).certificate, CA.certify(SERVER).key), CA.root)
                await until(lambda: ours.server.metric(RELOADS % "failed"))
                kept = await ours.answered(old)
                ours.files.write(OTHER_CA.certify(SERVER), OTHER_CA.root)
                await until(lambda: ours.server.metric(RELOADS % "loaded"))
                changed = await ours.answered(new), await ours.answered(old)
                return first, kept, changed, (await send(before.address, get())).status

    assert asyncio.run(play()) == (200, (200, 1), ((200, 1), (503, 0)), 200)
