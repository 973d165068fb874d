"""Real Envoys, and what their admin interface says about them."""

import asyncio
import copy
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import aiohttp

from extproc.demo.process import running
from extproc.istio.binary import envoy_binary
from extproc.istio.bootstrap import bootstrap
from extproc.istio.gateway import Gateway
from extproc.istio.protojson import to_json

Document: TypeAlias = dict

PATIENCE_S = 90.0


def rendered(gateway: Gateway) -> Document:
    """The bootstrap as `render envoy` writes it."""
    document: Document = json.loads(to_json(bootstrap(gateway)))
    return document


def manager(listener: Document) -> Document:
    """The connection manager of a rendered listener."""
    config: Document = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return config


def http_filter(listener: Document, name: str) -> Document:
    (found,) = [each for each in manager(listener)["http_filters"] if each["name"] == name]
    return found


def policy(listener: Document) -> Document:
    """The configuration of ext_proc."""
    config: Document = http_filter(listener, "extproc.policy")["typed_config"]
    return config


@asynccontextmanager
async def envoy_admin(document: Document, folder: Path, *options: str) -> AsyncIterator[str]:
    """The admin address (HOST:PORT) of an Envoy that has read this bootstrap; it may have none of its peers."""
    config, where = folder / "mutated.json", folder / "admin"
    config.write_text(json.dumps(document))
    envoy = os.environ.get("TEST_ENVOY") or str(envoy_binary())  # `make matrix` names older ones
    command = [envoy, "--config-path", str(config), "--admin-address-path", str(where)]
    command += ["--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id", *options]

    async def ready() -> bool:
        if not where.exists() or not (admin := where.read_text().strip()):
            return False
        try:
            return bool(await get(admin, "/server_info"))
        except aiohttp.ClientError:
            return False

    async with running(command, log=folder / "envoy.log", ready=ready, patience_s=PATIENCE_S):
        yield where.read_text().strip()


async def get(admin: str, path: str, *, any_status: bool = False) -> bytes:
    async with aiohttp.ClientSession() as session, session.get(f"http://{admin}{path}") as answer:
        assert any_status or answer.status == 200
        return await answer.read()


def dump_of(
    document: Document, folder: Path, *options: str, until: Callable[[bytes], bool] = lambda _dump: True
) -> bytes:
    """The config dump of an Envoy that runs this bootstrap, once it is as wanted."""

    async def ask() -> bytes:
        async with envoy_admin(document, folder, *options) as admin, asyncio.timeout(PATIENCE_S):
            while not until(dump := await get(admin, "/config_dump")):  # noqa: ASYNC110 - Envoy sets no event
                await asyncio.sleep(0.05)
            return dump

    return asyncio.run(ask())


def side_by_side(gateway: Gateway, mutations: dict[str, Callable[[Document], None]]) -> Document:
    """One bootstrap that holds a mutated copy of the rendered one for each of these.

    A copy's listener and its cluster for the processor bear the mutation's name; the mutation gets a document with
    `listener` and `cluster`, as they will stand in the bootstrap.
    """
    whole = rendered(gateway)
    resources = whole["static_resources"]
    (listener,), (cluster, *others) = resources["listeners"], resources["clusters"]
    resources["listeners"], resources["clusters"] = [], others
    for name, mutate in mutations.items():
        one = {"listener": copy.deepcopy(listener), "cluster": copy.deepcopy(cluster)}
        one["listener"]["name"] = one["cluster"]["name"] = one["cluster"]["load_assignment"]["cluster_name"] = name
        policy(one["listener"])["grpc_service"]["envoy_grpc"]["cluster_name"] = name
        mutate(one)
        resources["listeners"].append(one["listener"])
        resources["clusters"].append(one["cluster"])
    return whole
