"""A mesh of one gateway: istiod, a real Envoy, the server, an upstream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from conformance.exchange import Message
from conformance.real import Log
from conformance.wire import Upstream, upstream
from istio_live.control_plane import ControlPlane, free_port
from istio_live.gateway import Gateway, gateway, ingress
from istio_live.objects import Object
from istio_live.workloads import Workload, namespace
from server.serving import Server, serving

from extproc.config import load_settings
from extproc.istio.attachment import ApiGateway, Attachment, ClassicGateway, IngressGateway
from extproc.istio.mapping import envoy_filter_of

HERE = Path(__file__).parent
OK = Message(body=b'{"ok": true}', headers=(("content-type", "application/json"),))
# A busy machine fails no test.
UNHURRIED = {"policy": {"deadline_ms": 15_000}, "envoy": {"message_timeout_ms": 30_000}}


@dataclass
class Mesh:
    """Everything that runs."""

    gateway: Gateway
    server: Server
    upstream: Upstream
    log: Log
    attachment: Object
    workload: Workload

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.workload.ports["grpc"][1]

    async def send(self, request: Message) -> Message:
        """One exchange, by the gateway."""
        return await self.gateway.send(request)


def manifests(name: str) -> list[Object]:
    """The objects of one file of manifests/."""
    return [thing for thing in yaml.safe_load_all((HERE / "manifests" / name).read_text()) if thing]


@dataclass(frozen=True, slots=True)
class Api:
    """One of the two ways to say what a gateway listens to: its objects, its Service, and what `render` is told."""

    manifests: str
    service: str
    gateway: IngressGateway


CLASSIC = Api(
    "classic.yaml",
    "istio-ingressgateway",
    ClassicGateway("istio-ingress", "istio-ingressgateway", (("istio", "ingressgateway"),)),
)
GATEWAY_API = Api("gateway-api.yaml", "shop-istio", ApiGateway("istio-ingress", "shop"))


@dataclass(frozen=True, slots=True)
class Servers:
    """What stands behind a gateway: our server with the conformance table's policy, and the application."""

    ours: Server
    port: int
    upstream: Upstream


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[Servers]:
    """Both, running."""
    port = free_port()
    config = {"listen": f"127.0.0.1:{port}", **UNHURRIED}
    async with upstream() as recorder, serving(folder, config) as ours:
        recorder.answer = OK
        yield Servers(ours, port, recorder)


@asynccontextmanager
async def mesh(  # noqa: PLR0913 - what a mesh is made of
    plane: ControlPlane,
    behind: Servers,
    folder: Path,
    api: Api = CLASSIC,
    *,
    agent: str | None = None,
    profile: Literal["service", "in-pod"] = "service",
) -> AsyncIterator[Mesh]:
    """An ingress gateway with our filters before these servers; in-pod there is no Service of ours."""
    config = load_settings(behind.ours.folder / "extproc.yaml")
    attachment = dict(envoy_filter_of(config, Attachment(api.gateway, profile=profile)).document())
    ours = Workload("extproc", "extproc", {"grpc": (9000, behind.port)}, {"app": "extproc"})
    http = int(behind.upstream.address.rpartition(":")[2])
    shop = Workload("shop", "shop", {"http": (80, http)}, {"app": "shop"})
    pod = ingress(api.service, api.gateway.namespace, dict(api.gateway.labels))
    with plane.objects.scene():
        plane.objects.apply([namespace("istio-system"), namespace("istio-ingress")])
        plane.objects.apply(ours.objects() if profile == "service" else [])
        plane.objects.apply([*shop.objects(), *manifests(api.manifests), attachment])
        async with gateway(plane, pod, folder, agent=agent) as attached:
            log = Log(behind.ours.folder / "evidence")
            log.news()
            behind.upstream.seen.clear()
            yield Mesh(attached, behind.ours, behind.upstream, log, attachment, ours)
