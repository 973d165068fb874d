"""A real Envoy attached to istiod over ADS, as the pod of a workload."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import aiohttp
from istio_live.control_plane import ControlPlane
from istio_live.workloads import Workload

from extproc.demo.process import running

HTTP = {"@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"}
Kind: TypeAlias = Literal["router", "sidecar"]
"""What Istio calls a gateway, and a proxy beside an application."""


@asynccontextmanager
async def proxy(
    plane: ControlPlane, kind: Kind, workload: Workload, folder: Path, *, agent: str | None = None
) -> AsyncIterator[tuple[str, Path, aiohttp.ClientSession]]:
    """Envoy with a listener: its admin port (HOST:PORT), its log, and a session for the former.

    `agent` is where it gets its certificate (HOST:PORT), in a mesh with mutual TLS.
    """
    config, admin_file, log = folder / f"{kind}.json", folder / f"{kind}-admin", folder / f"{kind}.log"
    config.write_text(json.dumps(_bootstrap(plane, kind, workload, agent)))
    admin_file.unlink(missing_ok=True)
    command = [
        *(str(plane.tools.envoy), "--config-path", str(config), "--admin-address-path", str(admin_file)),
        *("--concurrency", "1", "--log-level", "info", "--use-dynamic-base-id", "--file-flush-interval-msec", "50"),
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
            yield admin_file.read_text().strip(), log, session


def _bootstrap(plane: ControlPlane, kind: Kind, workload: Workload, agent: str | None) -> dict[str, object]:
    """What Istio's agent gives a proxy, as far as it concerns us: the node, ADS, and runtime values."""
    name, namespace = workload.service, workload.namespace
    token = {"key": "authorization", "value": f"Bearer {namespace}:{name}"}
    ads = {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "xds-grpc"}, "initial_metadata": [token]}],
    }
    source = {"ads": {}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
    clusters = [_http2_cluster("xds-grpc", plane.xds)] + ([_http2_cluster("sds-grpc", agent)] if agent else [])
    return {
        "node": {
            "id": f"{kind}~{workload.ip}~{name}.{namespace}~{namespace}.svc.cluster.local",
            "cluster": f"{name}.{namespace}",
            "metadata": {
                "NAMESPACE": namespace,
                "LABELS": dict(workload.labels),
                "ISTIO_VERSION": f"{plane.tools.version}.0",
                "CLUSTER_ID": "Kubernetes",
                "MESH_ID": "cluster.local",
                "INTERCEPTION_MODE": "NONE",  # nobody's traffic is caught with iptables here
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


def _http2_cluster(name: str, address: str) -> dict[str, object]:
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
