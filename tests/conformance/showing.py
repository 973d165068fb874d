"""A real Envoy, configured as `render` does, whose upstream is told in `x-set-seen` what the policy was shown."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conformance.raw import Recorder, recorder
from conformance.real import Log, settings_document

from extproc.config import load_settings
from extproc.demo.envoy import running_envoy
from extproc.demo.server import running_server
from extproc.istio.gateway import TcpAddress, address_of
from extproc.istio.mapping import gateway_of

POLICY = Path(__file__).parent / "showing"


@dataclass(frozen=True)
class Stage:
    """Where Envoy takes requests, what arrived behind it, and the receipts."""

    runner: asyncio.Runner
    address: str
    recorder: Recorder
    log: Log

    def play(self, sending: Coroutine[object, object, bytes]) -> tuple[bytes, list[bytes]]:
        """The head of the answer, and the heads that reached the upstream."""
        self.recorder.heads.clear()
        return self.runner.run(sending), list(self.recorder.heads)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        folder = tmp_path_factory.mktemp("showing")
        address, upstream = runner.run(stack.enter_async_context(_running(folder)))
        yield Stage(runner, address, upstream, Log(folder / "evidence"))
        runner.run(stack.aclose())


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[tuple[str, Recorder]]:
    config = {"policy": {"paths": [str(POLICY)], "points": {"response": None}}}
    async with recorder() as upstream, running_server(settings_document(folder, config), folder) as server:
        gateway = gateway_of(
            load_settings(server.config),
            listen=TcpAddress("127.0.0.1", 0),
            upstream=address_of(upstream.address),
            admin=TcpAddress("127.0.0.1", 0),
            otlp=None,
        )
        async with running_envoy(gateway, folder) as envoy:
            yield envoy.address, upstream
