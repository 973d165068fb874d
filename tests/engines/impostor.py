"""A server that takes itself for OPA, and answers as the test wants."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from extproc.core.engine import Evaluation, PolicyEngine, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines.opa import OpaEngine
from extproc.engines.opa_client import ANSWER_BYTES
from extproc.errors import EngineError, EngineTimeout

ENTRYPOINTS = {Point.REQUEST: "extproc/request/decision"}
QUESTION = Question(Point.REQUEST, b"{}")


async def decide(engine: PolicyEngine, deadline_s: float = 5.0) -> Evaluation:
    return await engine.decide(QUESTION, deadline_s)


@asynccontextmanager
async def connected(url: str, on_change: Callable[[PolicyIdentity], None] = print) -> AsyncIterator[OpaEngine]:
    engine = await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=on_change, refresh_s=0.02)
    try:
        yield engine
    finally:
        await engine.close()


Conduct = Callable[[asyncio.StreamWriter], Awaitable[None]]
PROVENANCE = {"version": "1.22.2"}
VERSION = {"provenance": PROVENANCE, "result": {"version": "1.22.2"}}
REVISED = {"provenance": PROVENANCE | {"bundles": {"b": {"revision": "r1"}}}, "result": {"version": "1.22.2"}}
DEFINED = {
    "id": "request.rego",
    "raw": "package extproc.request",
    "ast": {
        "package": {
            "path": [
                {"type": "var", "value": "data"},
                *({"type": "string", "value": s} for s in ("extproc", "request")),
            ]
        },
        "rules": [{"head": {"ref": [{"type": "var", "value": "decision"}]}}],
    },
}


def http(body: bytes, status: int = 200, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


@dataclass
class Impostor:
    """Answers a survey as OPA does, and every query by `conduct`."""

    conduct: Conduct
    version: bytes = http(json.dumps(VERSION).encode())
    policies: bytes = http(json.dumps({"result": [DEFINED]}).encode())
    queries: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    surveys: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Its URL; at the end the port and every connection are closed."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self.writers), return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                await self._answer((await reader.readuntil(b"\r\n\r\n")).lower(), reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"post"):
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            self.queries.put_nowait(None)
            await self.conduct(writer)
        elif b"/system/version" in head:
            self.surveys.put_nowait(None)
            writer.write(self.version)
        else:
            writer.write(self.policies)


def says(answer: bytes) -> Conduct:
    async def conduct(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return conduct


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def silent(writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
    await writer.wait_closed()


async def floods(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(100):
        writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await writer.drain()


async def cuts(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"result": true}')
    writer.close()


NO_DOCUMENT = EngineError("the server's answer is not a data document of OPA's")
TOO_LARGE = EngineError(f"the OPA server's answer has more than {ANSWER_BYTES} bytes")
TIMEOUT = EngineTimeout("the OPA server did not answer before the deadline")
CONFLICT = b'{"code": "internal_error", "message": "m", "errors": [{"code": "eval_conflict_error", "message": "m"}]}'


def broken(kind: str) -> EngineError:
    return EngineError(f"the OPA server's answer broke off or is not HTTP: {kind}")
