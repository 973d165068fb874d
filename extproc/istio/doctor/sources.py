"""Where a config dump comes from: a file, Envoy's admin interface, or a pod by way of kubectl or istioctl."""

import asyncio
import asyncio.subprocess as _subprocess
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from extproc.errors import DumpError
from extproc.istio.doctor.dump import LARGEST_BYTES
from extproc.istio.doctor.node import shown
from extproc.istio.doctor.process import NOT_ASKED, RUNTIME, STATS, Process, process_of

DUMP = "/config_dump"
PATIENCE_S = 60.0
"""For each answer: a dump of a large gateway takes Envoy seconds to write."""

_SAID_BYTES = 64 << 10

_NAME = re.compile(r"[a-z0-9](?:[-.a-z0-9]{0,251}[a-z0-9])?")
"""A name of Kubernetes (RFC 1123), which no option of a command looks like."""


@dataclass(frozen=True, slots=True)
class Source:
    """A dump, and what else is known of its process."""

    dump: bytes
    process: Process = NOT_ASKED


def from_file(path: Path) -> Source:
    """What a file holds, `-` being standard input; one byte more than a dump may have at most.

    Raises DumpError.
    """
    try:
        if str(path) == "-":
            return Source(sys.stdin.buffer.read(LARGEST_BYTES + 1))
        with path.open("rb") as file:
            return Source(file.read(LARGEST_BYTES + 1))
    except OSError as error:
        raise DumpError(f"{path} cannot be read ({error.strerror}): name the file of a config dump") from None


async def from_admin(url: str) -> Source:
    """What the admin interface at `http://HOST:PORT` answers.  Raises DumpError."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def ask(path: str) -> bytes:
            try:
                async with session.get(url.rstrip("/") + path, allow_redirects=False) as answer:
                    if answer.status != 200:  # noqa: PLR2004 - OK
                        raise DumpError(f"the admin interface answers {path} with {answer.status}: is it Envoy's?")
                    return await bounded(answer.content, LARGEST_BYTES + 1)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise DumpError(
                    f"no admin interface answers ({type(error).__name__}): name it as --admin http://HOST:PORT"
                ) from None

        return await _asked(ask)


async def from_pod(pod: str, namespace: str) -> Source:
    """What the Envoy of an Istio pod answers, asked through kubectl, else through istioctl (the dump alone).

    Raises DumpError.
    """
    for name in (pod, namespace):
        if not _NAME.fullmatch(name):
            raise DumpError(f"{shown(name)!r} is no name of Kubernetes")
    if kubectl := shutil.which("kubectl"):
        agent = (kubectl, "exec", pod, "--namespace", namespace, "--container", "istio-proxy", "--", "pilot-agent")
        return await _asked(lambda path: _output((*agent, "request", "GET", path.removeprefix("/"))))
    if istioctl := shutil.which("istioctl"):
        return Source(await _output((istioctl, "proxy-config", "all", f"{pod}.{namespace}", "--output", "json")))
    raise DumpError("neither kubectl nor istioctl is on the PATH: take the dump elsewhere, and use --dump")


async def _asked(ask: Callable[[str], Awaitable[bytes]]) -> Source:
    dump = await ask(DUMP)
    return Source(dump, process_of(await ask(STATS), await ask(RUNTIME)))


async def _output(command: Sequence[str]) -> bytes:
    """What a command writes, up to one byte more than a dump may have at most."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=_subprocess.DEVNULL, stdout=_subprocess.PIPE, stderr=_subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            written, said = await asyncio.gather(
                bounded(process.stdout, LARGEST_BYTES + 1), bounded(process.stderr, _SAID_BYTES)
            )
            if len(written) > LARGEST_BYTES:
                return written
            status = await process.wait()
    except TimeoutError:
        raise DumpError(f"{Path(command[0]).name} does not end within {PATIENCE_S:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()  # its pipes must be read to their end before it counts as gone
    if status:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise DumpError(f"{Path(command[0]).name} ended with {status}: {shown(last)}")
    return written


async def bounded(stream: asyncio.StreamReader | aiohttp.StreamReader | None, most_bytes: int) -> bytes:
    """What a stream holds, up to this many bytes."""
    read = bytearray()
    while stream is not None and len(read) < most_bytes and (chunk := await stream.read(1 << 16)):
        read += chunk
    return bytes(read[:most_bytes])
