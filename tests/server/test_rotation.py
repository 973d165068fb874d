"""Certificates that change on disk while they are served with."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from prometheus_client import CollectorRegistry
from server.authority import GATEWAY, NOW, SERVER, Authority, Files, Identity
from server.test_tls import ended

from extproc.config.settings import Tls as TlsSettings
from extproc.server import rotation
from extproc.server.certificates import Certificates, read_certificates
from extproc.server.driver import Driver, Stream
from extproc.server.rotation import mutual_tls
from extproc.telemetry.metrics import Metrics, metrics

CA = Authority()
LOOKS = 5
"""At the files, so that what is done once is seen not to be done again."""


class Watched:
    """The files of a server, which looks at them without a pause; `looked` counts how often."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.registry = CollectorRegistry()
        self.meters: Metrics = metrics(self.registry)
        self.looked = 0
        self.first = CA.certify(SERVER)
        self.files = Files(folder / "tls").write(self.first, CA.root)
        self.settings = TlsSettings.model_validate(self.files.settings)
        monkeypatch.setattr(rotation, "EVERY_S", 0)
        monkeypatch.setattr(rotation, "read_certificates", self._read)

    def _read(self, *given: object) -> Certificates:
        try:
            return read_certificates(*given)
        finally:
            self.looked += 1

    async def looks(self) -> None:
        """Until whatever lies there now has been looked at several times."""
        enough = self.looked + LOOKS + 1  # the first may have begun before
        while self.looked < enough:  # noqa: ASYNC110 - the reader sets no event
            await asyncio.sleep(0)

    def reloads(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("extproc_tls_reloads_total", {"outcome": outcome})


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(tmp_path, monkeypatch)


def test_a_change_is_taken_once(watched: Watched) -> None:
    until = NOW + timedelta(days=3)

    async def play() -> None:
        async with mutual_tls(watched.settings, watched.meters, lambda: NOW):
            await watched.looks()
            assert watched.reloads("loaded") is None
            watched.files.write(CA.certify(SERVER, until=until), CA.root)
            await watched.looks()
            await watched.looks()

    asyncio.run(play())
    assert watched.reloads("loaded") == 1
    assert watched.registry.get_sample_value("extproc_tls_expiry_timestamp_seconds") == int(until.timestamp())


def test_what_is_wrong_is_said_once_and_again_when_it_comes_back(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    bad = replace(watched.first, key=b"none")

    async def play() -> None:
        async with mutual_tls(watched.settings, watched.meters, lambda: NOW):
            for identity in (bad, watched.first, bad):
                watched.files.write(identity, CA.root)
                await watched.looks()

    asyncio.run(play())
    said = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said == ["the certificates on disk are not good, those in use stay"] * 2
    assert watched.reloads("failed") == 2


def test_no_handshake_fails_while_certificates_are_renewed(watched: Watched) -> None:
    async def echo(stream: Stream) -> bool:
        while (message := await stream.read()) is not None:
            await stream.write(message)
        return False

    async def ask(address: str, client: Identity) -> list[grpc.StatusCode]:
        pair = {"private_key": client.key, "certificate_chain": client.certificate}
        credentials = grpc.ssl_channel_credentials(root_certificates=CA.root, **pair)
        options = [("grpc.ssl_target_name_override", SERVER), ("grpc.use_local_subchannel_pool", 1)]
        codes = []
        for _ in range(20):
            async with grpc.aio.secure_channel(address, credentials, options) as channel:
                codes.append(await ended(channel))
        return codes

    async def play() -> list[list[grpc.StatusCode]]:
        async with mutual_tls(watched.settings, watched.meters, lambda: NOW) as tls:
            driver = Driver(handler=echo, receive_limit_bytes=1 << 16, streams=64, tls=tls)
            address = await driver.listen("127.0.0.1:0")
            client = CA.certify(GATEWAY)
            asking = [asyncio.create_task(ask(address, client)) for _ in range(8)]
            while not all(task.done() for task in asking):
                watched.files.write(CA.certify(SERVER), CA.root)
                await watched.looks()
            await driver.stop(0)
            return [task.result() for task in asking]

    codes = asyncio.run(play())
    assert {code for each in codes for code in each} == {grpc.StatusCode.OK}
    assert (watched.reloads("loaded") or 0) > 1
