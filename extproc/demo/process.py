"""A program that runs beside this one: started, waited for until it answers, ended with the block that needed it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from extproc.errors import StartupError

_POLL_S = 0.02
_STOP_S = 25.0


@asynccontextmanager
async def running(
    command: Sequence[str], *, log: Path, ready: Callable[[], Awaitable[bool]], patience_s: float = 30.0
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process once `ready` says so.  Raises StartupError, with the end of its log, where it never does."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        await _until_ready(process, command[0], log=log, ready=ready, patience_s=patience_s)
        yield process
    finally:
        await _stop(process)


async def _until_ready(
    process: asyncio.subprocess.Process,
    name: str,
    *,
    log: Path,
    ready: Callable[[], Awaitable[bool]],
    patience_s: float,
) -> None:
    try:
        async with asyncio.timeout(patience_s):
            while not await ready():
                if process.returncode is not None:
                    raise StartupError(f"{Path(name).name} ended with {process.returncode}:\n{_tail(log)}")
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise StartupError(f"{Path(name).name} is not ready after {patience_s:.0f} s:\n{_tail(log)}") from None


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])
