"""A real OPA server on a loopback port, with a folder of policies loaded as a bundle and watched."""

import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp

from extproc.demo.process import running
from extproc.errors import StartupError

_TOOLS = Path(__file__).parents[2] / ".tools" / "bin"
"""Where a checkout keeps the tools that it has built."""


def opa_binary(folder: Path = _TOOLS) -> Path:
    """OPA from the folder, else from PATH.  Raises StartupError where it is in neither."""
    found = shutil.which("opa", path=f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        raise StartupError(
            "there is no `opa` on PATH: get it from https://www.openpolicyagent.org/docs/#running-opa, "
            "or in a checkout by `make -f .ci/tools.mk .tools/bin/opa`"
        )
    return Path(found)


@asynccontextmanager
async def running_opa(policies: Path, folder: Path) -> AsyncIterator[str]:
    """The URL of an OPA that has loaded `policies` (without tests) and serves; its log lies in `folder`.

    Raises StartupError where there is no OPA, or where the policies do not load.
    """
    binary = opa_binary()
    async with aiohttp.ClientSession() as session:
        with _reserved_port() as port:
            url = f"http://127.0.0.1:{port}"

            async def ready() -> bool:
                try:
                    async with session.get(f"{url}/health?bundles=true") as answer:
                        return answer.status == 200  # noqa: PLR2004 - OK
                except aiohttp.ClientError:
                    return False

            command = [
                *(str(binary), "run", "--server", "--watch", "--skip-version-check"),
                *("--addr", f"127.0.0.1:{port}"),
                *("--log-level", "error"),
                *("--ignore", "*_test.rego"),
                *("--bundle", str(policies)),
            ]
            async with running(command, log=folder / "opa.log", ready=ready):
                yield url


@contextmanager
def _reserved_port() -> Iterator[int]:
    """A free port that the kernel gives to nobody else meanwhile, and that a server with SO_REUSEADDR can bind.

    OPA takes port 0 but does not tell which port it got.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port
