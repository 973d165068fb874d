"""Everything that runs: an upstream, a receiver for the spans, and two servers, each behind an Envoy of its own."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.accounting import children, has_mapped
from benchmarks.upstream import running_upstream
from extproc.config import load_settings
from extproc.demo.envoy import running_envoy
from extproc.demo.process import running
from extproc.demo.server import RunningServer, running_server
from extproc.demo.stage import policies_folder
from extproc.istio.gateway import Gateway, TcpAddress, UnixAddress
from extproc.istio.mapping import gateway_of

EMPTY, LEAST, EXTPROC = "empty", "least", "extproc"
RECEIPTS = "receipts"  # the evidence directory, in the rig's folder
SERVER, SHIPPER, SUPERVISOR, ENVOY = "server", "shipper", "supervisor", "envoy"
ENGINE = "engine"
"""Parts of a subject: `server` is what answers Envoy (the empty server, the least one, or our worker), `engine` the
threads of libopa in it."""
_ANY_PORT = TcpAddress("127.0.0.1", 0)
_DEADLINE_MS = 10_000
"""Far from every evaluation here: a machine that is busy must not turn a measurement into denials."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A server behind its Envoy: where requests go (HOST:PORT), the process id of each part, its own admin address."""

    name: str
    address: str
    pids: Mapping[str, int]
    admin: str = ""


@dataclass(frozen=True, slots=True)
class Rig:
    """The servers, ready; `config` is ours, `folder` holds logs, receipts and sockets."""

    empty: Subject
    least: Subject
    extproc: Subject
    config: Path
    folder: Path


@asynccontextmanager
async def running_rig(folder: Path, policies: Sequence[Path]) -> AsyncIterator[Rig]:
    """All of it, ready; ended with the block.  Raises StartupError with the end of the log of what does not start."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(running_upstream(folder))
        receiver = await stack.enter_async_context(_running_receiver(folder))
        document = _settings(folder, policies or [policies_folder()], receiver)
        server = await stack.enter_async_context(running_server(document, folder))
        floors = [await stack.enter_async_context(_running_floor(name, folder)) for name in (EMPTY, LEAST)]
        gateway = gateway_of(load_settings(server.config), _ANY_PORT, upstream, _ANY_PORT, otlp=None)
        ours = await stack.enter_async_context(_fronted(EXTPROC, gateway, folder, _parts(server)))
        empty, least = [
            await stack.enter_async_context(
                _fronted(floor.name, replace(gateway, processors=(floor.address,)), folder, {SERVER: floor.pid})
            )
            for floor in floors
        ]
        yield Rig(empty, least, replace(ours, admin=server.admin), server.config, folder)


def _settings(folder: Path, policies: Sequence[Path], otlp: str) -> dict[str, object]:
    return {
        "listen": f"unix://{folder}/extproc.sock",
        "admin": {"listen": "127.0.0.1:0"},
        "policy": {"paths": [str(path) for path in policies], "deadline_ms": _DEADLINE_MS},
        "envoy": {"message_timeout_ms": 2 * _DEADLINE_MS},
        "evidence": {"directory": str(folder / RECEIPTS)},
        "telemetry": {"otlp": {"endpoint": f"http://{otlp}"}},
    }


def _parts(server: RunningServer) -> dict[str, int]:
    """The worker is the child that has loaded libopa, the shipper the other that runs our code."""
    spawned = [pid for pid in children(server.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    workers = [pid for pid in spawned if has_mapped(pid, "libopa.so")]
    (worker,), (shipper,) = workers, [pid for pid in spawned if pid not in workers]
    return {SERVER: worker, SHIPPER: shipper, SUPERVISOR: server.pid}


@asynccontextmanager
async def _fronted(name: str, gateway: Gateway, folder: Path, parts: Mapping[str, int]) -> AsyncIterator[Subject]:
    own = folder / name
    own.mkdir()
    async with running_envoy(gateway, own) as envoy:
        yield Subject(name, envoy.address, {**parts, ENVOY: envoy.pid})


@dataclass(frozen=True, slots=True)
class _Floor:
    name: str
    address: UnixAddress
    pid: int


@asynccontextmanager
async def _running_floor(name: str, folder: Path) -> AsyncIterator[_Floor]:
    socket = folder / f"{name}.sock"
    command = [sys.executable, "-m", f"benchmarks.{name}_server", f"unix://{socket}", str(folder / f"{name}-log")]

    async def ready() -> bool:
        return socket.exists()

    async with running(command, log=folder / f"{name}.log", ready=ready) as process:
        yield _Floor(name, UnixAddress(str(socket)), process.pid)


@asynccontextmanager
async def _running_receiver(folder: Path) -> AsyncIterator[str]:
    log = folder / "receiver.log"

    async def ready() -> bool:
        return log.read_text().endswith("\n")

    async with running([sys.executable, "-m", "benchmarks.receiver"], log=log, ready=ready):
        yield log.read_text().strip()
