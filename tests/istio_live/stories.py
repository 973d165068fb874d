"""An example as its README applies it: its configuration, its objects, and our filters as `render` prints them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml
from conformance.real import Log
from istio_live.control_plane import ControlPlane, free_port
from istio_live.gateway import Gateway, gateway, ingress
from istio_live.objects import Object
from istio_live.readme import EXAMPLES
from istio_live.shop import shop
from istio_live.stage import UNHURRIED
from istio_live.workloads import Workload, namespace

from extproc.config import load_settings
from extproc.demo.collector import collector
from extproc.demo.envoy import RunningEnvoy, running_envoy
from extproc.demo.server import running_server
from extproc.istio.attachment import Attachment, ingress_gateway
from extproc.istio.gateway import TcpAddress
from extproc.istio.mapping import envoy_filter_of, gateway_of

NAMESPACE = "istio-system"
# Of the gateway's pods: Istio's own, and the one of `render istio --part gateway-pods`.
LABELS = {"istio": "ingressgateway", "extproc": "enabled"}
STOCK = ingress_gateway(kind="classic", namespace=NAMESPACE, name=None, service_account=None, labels=())


def configuration(example: str, folder: Path, endpoint: str, listen: str) -> Object:
    """The example's own configuration, on this machine: its paths whole, its ports free, its receipts in `folder`."""
    document: Object = yaml.safe_load((EXAMPLES / example / "extproc.yaml").read_text())
    document["policy"]["paths"] = [str((EXAMPLES / example / path).resolve()) for path in document["policy"]["paths"]]
    document["policy"] |= UNHURRIED["policy"]
    return document | {
        "envoy": UNHURRIED["envoy"],
        "listen": listen,
        "admin": {"listen": "127.0.0.1:0"},
        "evidence": {"directory": str(folder / "evidence")},
        "telemetry": {"otlp": {"endpoint": endpoint}},
    }


def objects(example: str) -> list[Object]:
    """What the example applies beside our own: the quickstart's gateway and route where it has none."""
    files = [EXAMPLES / "quickstart/gateway.yaml", *sorted((EXAMPLES / example).glob("*.yaml"))]
    documents = [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]
    return [each for each in documents if "kind" in each]


@asynccontextmanager
async def plain(example: str, folder: Path) -> AsyncIterator[RunningEnvoy]:
    """The same without a mesh: the Envoy that `render envoy` makes of the example's file."""
    with collector() as receiver:
        document = configuration(example, folder, receiver.endpoint, f"127.0.0.1:{free_port()}")
        async with shop() as shop_port, running_server(document, folder) as server:
            configured = gateway_of(
                load_settings(server.config),
                listen=TcpAddress("127.0.0.1", 0),
                upstream=TcpAddress("127.0.0.1", shop_port),
                admin=TcpAddress("127.0.0.1", 0),
                otlp=None,
            )
            async with running_envoy(configured, folder) as envoy:
                yield envoy


@asynccontextmanager
async def story(plane: ControlPlane, example: str, folder: Path) -> AsyncIterator[tuple[Gateway, Log]]:
    """The example's mesh with the shop behind it, and the receipts."""
    port = free_port()
    with collector() as receiver:
        document = configuration(example, folder, receiver.endpoint, f"127.0.0.1:{port}")
        async with shop() as shop_port, running_server(document, folder):
            ours = envoy_filter_of(load_settings(folder / "extproc.yaml"), Attachment(STOCK)).document()
            with plane.objects.scene():
                for workload in (
                    Workload("extproc", "extproc", {"grpc": (9000, port)}, {"app": "extproc"}),
                    Workload("shop", "shop", {"http": (80, shop_port)}, {"app": "shop"}),
                ):
                    plane.objects.apply(workload.objects())
                plane.objects.apply([namespace(NAMESPACE), *objects(example), ours])
                pod = ingress("istio-ingressgateway", NAMESPACE, LABELS)
                async with gateway(plane, pod, folder) as attached:
                    yield attached, Log(folder / "evidence")
