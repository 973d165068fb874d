"""The processes that evaluate: each takes its turn while the others are idle."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.accounting import children, cpu_ns
from benchmarks.engines.work import FOLDER, POLICIES, RESULT, SIZES, document
from benchmarks.load import LoadError
from extproc.demo.opa import running_opa

SDK = Path(".tools/bin/sdk")
EMBEDDED, REST, GO_SDK, GO_SDK_400 = "libopa", "OPA over REST", "Go SDK", "Go SDK, GOGC=400"
CLIENT, SERVER = "client", "server"
_ANSWER_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Turn:
    """Evaluations one after the other: mean CPU by part (`client`, and `server` if there is one), wall times sorted."""

    cpu_us: dict[str, float]
    wall_us: tuple[float, ...]

    @property
    def client_us(self) -> float:
        """CPU of the process that wants the decision."""
        return self.cpu_us[CLIENT]

    @property
    def server_us(self) -> float:
        """CPU of the process that it asks."""
        return self.cpu_us[SERVER]

    def percentile_us(self, percent: int) -> float:
        """The wall time that so many percent did not exceed."""
        return self.wall_us[max(0, -(-len(self.wall_us) * percent // 100) - 1)]


@dataclass(frozen=True, slots=True)
class Subject:
    """An engine: the process that is asked, and the ids of all that work for it."""

    name: str
    process: asyncio.subprocess.Process
    pids: dict[str, int]

    async def turn(self, policy: str, size: int, seconds: float) -> Turn:
        """Evaluate for so long.  Raises LoadError for another result than every engine must give."""
        before = {part: cpu_ns(pid) for part, pid in self.pids.items()}
        answer = json.loads(await self._ask(f"{policy} {size} {seconds}\n"))
        if answer["result"] != RESULT:
            raise LoadError(f"{self.name} decided {answer['result']} by {policy}, not {RESULT}")
        wall_us = sorted(answer["us"])
        cpu_us = {part: (cpu_ns(pid) - before[part]) / 1000 / len(wall_us) for part, pid in self.pids.items()}
        return Turn(cpu_us, tuple(wall_us))

    async def _ask(self, line: str) -> bytes:
        if self.process.stdin is None or self.process.stdout is None:
            raise LoadError(f"{self.name} has no pipes")
        self.process.stdin.write(line.encode())
        answer = await self.process.stdout.readline()
        if not answer:
            raise LoadError(f"{self.name} ended; what it said is above")
        return answer


@asynccontextmanager
async def running_subjects(folder: Path) -> AsyncIterator[list[Subject]]:
    """All of them, idle; ended with the block.  Raises StartupError."""
    files = _files(folder)
    python = [sys.executable, "-m", "benchmarks.engines.subject"]
    async with AsyncExitStack() as stack:
        before = set(children(os.getpid()))
        url = await stack.enter_async_context(running_opa(FOLDER, folder))
        (opa,) = set(children(os.getpid())) - before
        embedded = await stack.enter_async_context(_running([*python, "embedded"], {}))
        rest = await stack.enter_async_context(_running([*python, "rest", url], {}))
        sdk = await stack.enter_async_context(_running([str(SDK), *files], {}))
        sdk_400 = await stack.enter_async_context(_running([str(SDK), *files], {"GOGC": "400"}))
        yield [
            Subject(EMBEDDED, embedded, {CLIENT: embedded.pid}),
            Subject(REST, rest, {CLIENT: rest.pid, SERVER: opa}),
            Subject(GO_SDK, sdk, {CLIENT: sdk.pid}),
            Subject(GO_SDK_400, sdk_400, {CLIENT: sdk_400.pid}),
        ]


def _files(folder: Path) -> list[str]:
    """Policies and documents as the Go program's arguments."""
    arguments = [f"{name}={FOLDER / name}.rego" for name in POLICIES]
    for size in SIZES.values():
        path = folder / f"{size}.json"
        path.write_bytes(document(size))
        arguments += [f"{name}:{size}={path}" for name in POLICIES]
    return arguments


@asynccontextmanager
async def _running(command: Sequence[str], variables: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **variables},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=_ANSWER_BYTES,
    )
    try:
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()  # its last line
        await process.wait()
