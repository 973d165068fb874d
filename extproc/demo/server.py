"""`extproc serve` in a process of its own, ready."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml

from extproc.demo.process import running


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Its admin address (HOST:PORT), its configuration file, its log, and the supervisor's process id."""

    admin: str
    config: Path
    log: Path
    pid: int


@asynccontextmanager
async def running_server(document: Mapping[str, object], folder: Path) -> AsyncIterator[RunningServer]:
    """The server with this configuration, whose `admin.listen` should have port 0; ready when /readyz says so."""
    config, log = folder / "extproc.yaml", folder / "extproc.log"
    config.write_text(yaml.safe_dump(dict(document), sort_keys=False))
    command = [sys.executable, "-m", "extproc", "serve", "--config", str(config)]
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            admin = _admin_of(log)
            if not admin:
                return False
            try:
                async with session.get(f"http://{admin}/readyz") as answer:
                    return answer.status == 200  # noqa: PLR2004 - OK
            except aiohttp.ClientError:
                return False

        async with running(command, log=log, ready=ready) as process:
            yield RunningServer(_admin_of(log), config, log, process.pid)


def _admin_of(log: Path) -> str:
    """The admin address that the kernel chose, from the server's own log."""
    for line in log.read_text(errors="replace").splitlines():
        if '"admin listens"' in line:
            return str(json.loads(line)["address"])
    return ""
