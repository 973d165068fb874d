"""A real gateway before a real server, and the oracle: the upstream's log joined with the receipts."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.exchange import Message, Pairs
from conformance.real import Log
from conformance.wire import Upstream, send, upstream
from server.serving import Server, serving

from extproc.config import load_settings
from extproc.demo.envoy import RunningEnvoy, running_envoy
from extproc.istio.gateway import TcpAddress, address_of
from extproc.istio.mapping import gateway_of

ANY_PORT = TcpAddress("127.0.0.1", 0)
OK = Message(body=b'{"ok": true}', headers=(("content-type", "application/json"),))
JSON = ("content-type", "application/json")


@dataclass
class Stage:
    """Everything that runs; the upstream answers `OK` unless told otherwise."""

    server: Server
    envoy: RunningEnvoy
    recorder: Upstream
    log: Log

    async def send(self, request: Message) -> Message:
        """One exchange, by the gateway."""
        return await send(self.envoy.address, request)

    async def stat(self, name: str) -> int:
        """One of Envoy's own counters, summed over what it is counted for."""
        async with self.server.session.get(f"http://{self.envoy.admin}/stats?format=json&filter={name}") as answer:
            stats = json.loads(await answer.text())["stats"]
        return sum(int(one.get("value", 0)) for one in stats)

    @property
    def socket(self) -> str:
        """Where the one worker listens."""
        return f"unix://{self.server.folder}/x.sock"


@asynccontextmanager
async def faulty_stage(folder: Path, config: Mapping[str, object]) -> AsyncIterator[Stage]:
    """The conformance table's configuration with these changes."""
    async with upstream() as recorder, serving(folder, config) as server:
        recorder.answer = OK
        gateway = gateway_of(
            load_settings(folder / "extproc.yaml"),
            listen=ANY_PORT,
            upstream=address_of(recorder.address),
            admin=ANY_PORT,
            otlp=None,
        )
        async with running_envoy(gateway, folder) as envoy:
            yield Stage(server, envoy, recorder, Log(folder / "evidence"))


def scripted(**words: str) -> Pairs:
    """Headers that tell the table's policy what to do: `decide_request='{"allowed": false}'`."""
    return tuple((f"x-{name.replace('_', '-')}", word) for name, word in words.items())


def get(*headers: tuple[str, str]) -> Message:
    return Message(headers=headers)


def post(body: bytes, *headers: tuple[str, str]) -> Message:
    return Message(method="POST", body=body, headers=(JSON, *headers))


def code(answer: Message) -> str:
    """The word of a denial, or what the client got instead of one."""
    try:
        document = json.loads(answer.body or b"")
    except ValueError:
        return (answer.body or b"").decode()
    return str(document.get("code", document))


def unreceipted(upstream_log: list[Message], receipts: list[dict]) -> list[Message]:
    """What reached the upstream without an allow receipt of the request: the oracle, which must always be empty."""
    allowed = {
        receipt["receipt_id"]
        for receipt in receipts
        if (receipt["phase"], receipt["decision"]["verdict"]) == ("request", "allow")
    }
    return [request for request in upstream_log if dict(request.headers).get("x-extproc-receipt-id") not in allowed]


async def receipts_of(log: Log, count: int) -> list[dict]:
    """So many receipts, or more: a stream's end is recorded after the answer."""
    found = log.news()
    async with asyncio.timeout(20):
        while len(found) < count:
            await asyncio.sleep(0.02)
            found += log.news()
    return found
