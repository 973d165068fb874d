"""A real Envoy attached to istiod over ADS, as the pod of an ingress gateway."""

import itertools
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from conformance.exchange import Message
from conformance.wire import send
from istio_live.control_plane import ControlPlane, free_port
from istio_live.objects import Object
from istio_live.proxy import proxy
from istio_live.workloads import Workload, pod
from server.serving import until

_IPS = itertools.count(1)
_MARKS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Gateway:
    """An ingress gateway that is attached: where it takes requests, its admin port (HOST:PORT both), and its log."""

    plane: ControlPlane
    workload: Workload
    address: str
    admin: str
    log: Path
    session: aiohttp.ClientSession

    async def send(self, request: Message) -> Message:
        """One exchange."""
        return await send(self.address, request)

    async def apply(self, things: Iterable[Mapping[str, Any]]) -> None:
        """Store these, and wait until this gateway has what istiod made of them."""
        self.plane.objects.apply(things)
        await self.settled()

    async def delete(self, things: Iterable[Mapping[str, Any]]) -> None:
        """Remove these, and wait until this gateway knows."""
        self.plane.objects.delete(things)
        await self.settled()

    async def settled(self) -> None:
        """Wait until everything that was applied before has come here, or was refused here.

        istiod sends routes last.  So an EnvoyFilter of ours, stored after the rest, marks them, and when the mark has
        come the rest has.
        """
        mark = f"mark-{next(_MARKS)}"
        self.plane.objects.apply([_mark(mark)])

        async def arrived() -> bool:
            return mark in json.dumps(await self.dump("dynamic_route_configs")) and not await self.warming()

        await until(arrived)

    async def warming(self) -> bool:
        """Whether a listener has come and does not serve yet."""
        return any("warming_state" in one for one in await self.dump("dynamic_listeners"))

    async def dump(self, resource: str) -> list[Any]:
        """One part of the config dump."""
        async with self.session.get(f"http://{self.admin}/config_dump?resource={resource}") as answer:
            return list((await answer.json(content_type=None)).get("configs", []))

    async def filters(self) -> list[str]:
        """The names of the HTTP filters that serve, in their order."""
        for listener in await self.dump("dynamic_listeners"):
            for chain in listener.get("active_state", {}).get("listener", {}).get("filter_chains", []):
                return [one["name"] for one in chain["filters"][-1]["typed_config"]["http_filters"]]
        return []


@asynccontextmanager
async def gateway(
    plane: ControlPlane, workload: Workload, folder: Path, *, agent: str | None = None
) -> AsyncIterator[Gateway]:
    """Envoy as the pod of `workload`, with a listener; a Gateway must have been applied that its labels match.

    `agent` is where it gets its certificate (HOST:PORT), in a mesh with mutual TLS.
    """
    plane.objects.apply([*workload.objects(), pod(workload), loopback()])
    async with proxy(plane, "router", workload, folder, agent=agent) as (admin, log, session):
        port = next(iter(workload.ports.values()))[1]
        attached = Gateway(plane, workload, f"127.0.0.1:{port}", admin, log, session)
        await attached.settled()
        yield attached


def ingress(service: str, namespace: str, labels: Mapping[str, str]) -> Workload:
    """A gateway's pod and Service (port 80).

    Its address is no endpoint's of another workload, because istiod finds the labels of a proxy by it.
    """
    return Workload(service, namespace, {"http2": (80, free_port())}, labels, ip=f"10.99.0.{next(_IPS)}")


def loopback() -> Object:
    """Istio binds gateways to every address; a test's must not be reached from outside."""
    address = {"address": {"socket_address": {"address": "127.0.0.1"}}}
    return _root_filter("loopback", {"applyTo": "LISTENER", "patch": {"operation": "MERGE", "value": address}})


def _mark(mark: str) -> Object:
    metadata = {"metadata": {"filter_metadata": {"extproc.test": {"mark": mark}}}}
    return _root_filter("mark", {"applyTo": "ROUTE_CONFIGURATION", "patch": {"operation": "MERGE", "value": metadata}})


def _root_filter(name: str, patch: Object) -> Object:
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": name, "namespace": "istio-system"},
        "spec": {"priority": -10, "configPatches": [{"match": {"context": "GATEWAY"}, **patch}]},
    }
