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
from istio_live.workloads import Workload, pod
from server.serving import until

from extproc.demo.process import running

HTTP = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"}
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
    config, admin_file, log = folder / "gateway.json", folder / "gateway-admin", folder / "gateway.log"
    config.write_text(json.dumps(_bootstrap(plane, workload, agent)))
    command = [
        *(str(plane.tools.envoy), "--config-path", str(config), "--admin-address-path", str(admin_file)),
        *("--concurrency", "1", "--log-level", "info", "--use-dynamic-base-id"),
    ]
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            if not admin_file.exists() or not (admin := admin_file.read_text().strip()):
                return False
            try:
                async with session.get(f"http://{admin}/listeners?format=json") as answer:
                    return bool((await answer.json(content_type=None)).get("listener_statuses"))
            except aiohttp.ClientError:
                return False

        async with running(command, log=log, ready=ready):
            port = next(iter(workload.ports.values()))[1]
            attached = Gateway(plane, workload, f"127.0.0.1:{port}", admin_file.read_text().strip(), log, session)
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


def _bootstrap(plane: ControlPlane, workload: Workload, agent: str | None) -> dict[str, object]:
    """What Istio's agent gives a gateway, as far as it concerns us: the node, ADS, and runtime values."""
    name, namespace = workload.service, workload.namespace
    ads = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}}],
    }
    source = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    clusters = [http2_cluster("xds-grpc", plane.xds)] + ([http2_cluster("sds-grpc", agent)] if agent else [])
    return {
        "node": {
            "id": f"router~{workload.ip}~{name}.{namespace}~{namespace}.svc.cluster.local",
            "cluster": f"{name}.{namespace}",
            "metadata": {
                "NAMESPACE": namespace,
                "LABELS": dict(workload.labels),
                "ISTIO_VERSION": f"{plane.tools.version}.0",
                "CLUSTER_ID": "Kubernetes",
                "MESH_ID": "cluster.local",
            },
        },
        "admin": {"address": _socket_address("127.0.0.1:0")},
        "layered_runtime": {
            "layers": [
                {
                    "name": "static",
                    "static_layer": {
                        "re2.max_program_size.error_level": 32768,  # as in Istio's bootstrap
                        # ours, by the gateway's annotation proxy.istio.io/config
                        "envoy.reloadable_features.ext_proc_graceful_grpc_close": True,
                    },
                }
            ]
        },
        "dynamic_resources": {"lds_config": source, "cds_config": source, "ads_config": ads},
        "static_resources": {"clusters": clusters},
    }


def http2_cluster(name: str, address: str) -> dict[str, object]:
    """A static cluster of one endpoint (HOST:PORT)."""
    endpoint = {"endpoint": {"address": _socket_address(address)}}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                **HTTP,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
    }


def _socket_address(address: str) -> dict[str, object]:
    host, _, port = address.rpartition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
