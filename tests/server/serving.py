"""`extproc serve` in a process of its own, and the gateway's end of an ext_proc stream without a gateway."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import aiohttp
import grpc.aio
import yaml
from conformance.real import settings_document
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc.demo.collector import Collector, collector
from extproc.demo.process import running
from extproc.server.driver import SERVICE

T = TypeVar("T")
PATIENCE_S = 20.0
START_S = 90.0  # of a machine that builds something else as well
GET = [{"key": ":method", "raw_value": b"GET"}, {"key": ":path", "raw_value": b"/"}]


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """What `look` sees once that is true; an error after PATIENCE_S."""
    async with asyncio.timeout(PATIENCE_S):
        while not (seen := await look()):  # noqa: ASYNC110 - another process cannot set an event of ours
            await asyncio.sleep(0.02)
    return seen


@dataclass
class Server:
    """A running server."""

    admin: str
    process: asyncio.subprocess.Process
    folder: Path
    session: aiohttp.ClientSession
    collector: Collector = field(init=False)

    async def get(self, path: str) -> tuple[int, str]:
        """The status and the text of one answer of the admin port."""
        async with self.session.get(f"http://{self.admin}{path}") as answer:
            return answer.status, await answer.text()

    async def workers(self) -> list[dict[str, object]]:
        """What /readyz says about each."""
        return list(json.loads((await self.get("/readyz"))[1])["workers"])

    async def ready(self) -> bool:
        """Whether every worker is."""
        return (await self.get("/readyz"))[0] == 200

    async def metric(self, series: str) -> float:
        """One sample of /metrics, 0 where it is not there."""
        lines = (await self.get("/metrics"))[1].splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == series), 0.0)

    def children(self) -> dict[str, list[int]]:
        """The process ids of the workers (who have loaded OPA) and of the others (the shipper, Python's tracker)."""
        pids = [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]
        kinds: dict[str, list[int]] = {"worker": [], "shipper": [], "tracker": []}
        for pid in pids:
            with suppress(FileNotFoundError, ProcessLookupError):  # one that ended since it was listed
                command = Path(f"/proc/{pid}/cmdline").read_text()
                tracker = "resource_tracker" in command
                opa = "libopa" in Path(f"/proc/{pid}/maps").read_text()
                kinds["tracker" if tracker else "worker" if opa else "shipper"].append(pid)
        return kinds

    def log(self) -> list[dict[str, object]]:
        """Every record so far."""
        return [json.loads(line) for line in (self.folder / "extproc.log").read_text().splitlines()]


@asynccontextmanager
async def serving(folder: Path, config: Mapping[str, object]) -> AsyncIterator[Server]:
    """The conformance table's configuration with these changes, ready."""
    file, log = folder / "extproc.yaml", folder / "extproc.log"
    command = [sys.executable, "-m", "extproc", "serve", "--config", str(file)]
    with collector() as receiver:
        document = {
            "telemetry": {"otlp": {"endpoint": receiver.endpoint}},
            **config,
        }  # a drain waits for one that is away
        file.write_text(yaml.safe_dump(settings_document(folder, document)))
        async with _running(command, folder, log) as server:
            server.collector = receiver
            yield server


@asynccontextmanager
async def _running(command: list[str], folder: Path, log: Path) -> AsyncIterator[Server]:
    async with aiohttp.ClientSession() as session:
        server = Server("", None, folder, session)  # type: ignore[arg-type]  # the process comes below

        async def ready() -> bool:
            server.admin = _admin(log)
            try:
                return bool(server.admin) and await server.ready()
            except aiohttp.ClientError:
                return False

        async with running(command, log=log, ready=ready, patience_s=START_S) as server.process:
            yield server


def _admin(log: Path) -> str:
    for line in log.read_text().splitlines():
        if '"admin listens"' in line:
            return str(json.loads(line)["address"])
    return ""


class Stream:
    """One exchange, as Envoy would have it."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.call = channel.stream_stream(f"/{SERVICE}/Process")()

    async def ask(self, **parts: object) -> ProcessingResponse:
        """Send one message and take its reply."""
        await self.call.write(ProcessingRequest(**parts).SerializeToString())
        return ProcessingResponse.FromString(await self.call.read())

    async def end(self) -> None:
        """Say that there is no more, as Envoy does when the exchange is over."""
        await self.call.done_writing()
        await self.call.read()


async def exchange(address: str) -> ProcessingResponse:
    """The answer to a GET."""
    async with grpc.aio.insecure_channel(address) as channel:
        stream = Stream(channel)
        answer = await stream.ask(request_headers={"headers": {"headers": GET}, "end_of_stream": True})
        await stream.end()
    return answer


def said(answer: ProcessingResponse) -> str:
    """`allow`, or the word of the denial."""
    return answer.immediate_response.details or answer.dynamic_metadata["extproc"]["request"]


async def health(address: str) -> str:
    """What the gRPC health service says."""
    async with grpc.aio.insecure_channel(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
