"""An unchanged istiod over a Kubernetes API without a cluster."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from istio_live.certificates import Authority
from istio_live.kube_api import kube_api
from istio_live.objects import Objects

from extproc.demo.process import running

# What a cluster without sidecars, and an Envoy without Istio's own filters, need to be told.
_ENVIRONMENT = {
    "PILOT_CERT_PROVIDER": "none",
    "XDS_AUTH_PLAINTEXT": "true",  # proxies and agents show their tokens, without TLS of istiod's own
    "POD_NAME": "istiod",
    "POD_NAMESPACE": "istio-system",
    "PILOT_ENABLE_METADATA_EXCHANGE": "false",
    "PILOT_ENABLE_ALPN_FILTER": "false",
    "ENABLE_100_CONTINUE_HEADERS": "false",  # ours: with it, Expect: 100-continue waits for ever (docs/operations.md)
    "PILOT_DEBOUNCE_AFTER": "10ms",  # a test waits for each change
    "PILOT_DEBOUNCE_MAX": "500ms",
}
# No defaultProviders: they would want Istio's own stats filter.
_MESH = {
    "rootNamespace": "istio-system",
    "accessLogFile": "/dev/stdout",
    "accessLogFormat": "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% caller=%DOWNSTREAM_PEER_URI_SAN%\n",
    "enableAutoMtls": False,
}
_PATIENCE_S = 60.0  # the first start reads 190 MB from disk


@dataclass(frozen=True, slots=True)
class Tools:
    """What `make` built: istiod, and the definitions of Istio's and the Gateway API's own kinds; and the Envoy."""

    istiod: Path
    envoy: Path
    definitions: tuple[Path, ...]
    version: str


def tools(folder: Path, envoy: Path) -> Tools:
    """The istiod of this folder, built by .ci/tools.mk."""
    return Tools(
        folder / "istiod", envoy, tuple(sorted(folder.glob("*.yaml"))), (folder / "version").read_text().strip()
    )


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running istiod: its objects, its ports (HOST:PORT), what it was built from, its log, and its CA's root (PEM).

    `xds` is the CA's port too.
    """

    objects: Objects
    xds: str
    debug: str
    tools: Tools
    log: Path
    root: bytes

    def complaints(self) -> list[str]:
        """Every warning and error of the log so far."""
        return [line for line in self.log.read_text().splitlines() if {"warn", "error"} & set(line.split("\t")[1:2])]


@asynccontextmanager
async def control_plane(built: Tools, folder: Path) -> AsyncIterator[ControlPlane]:
    """Istiod with the definitions and nothing else, synchronised."""
    objects = Objects()
    for file in built.definitions:
        objects.apply(thing for thing in yaml.load_all(file.read_text(), yaml.CSafeLoader) if thing)
    with kube_api(objects) as api:
        kubeconfig, mesh, log = folder / "kubeconfig", folder / "mesh.yaml", folder / "istiod.log"
        authority = Authority()
        authority.cacerts(folder / "cacerts")
        kubeconfig.write_text(yaml.safe_dump(_kubeconfig(api)))
        mesh.write_text(yaml.safe_dump(_MESH))
        http, xds, debug = (free_port() for _ in range(3))
        command = [
            *("env", *(f"{name}={value}" for name, value in _ENVIRONMENT.items())),
            f"ROOT_CA_DIR={folder / 'cacerts'}",
            *(str(built.istiod), "discovery", "--registries=Kubernetes", "--kubeconfig", str(kubeconfig)),
            *("--meshConfig", str(mesh), "--networksConfig", str(folder / "none")),
            *("--httpAddr", f"127.0.0.1:{http}", "--grpcAddr", f"127.0.0.1:{xds}"),
            *("--monitoringAddr", f"127.0.0.1:{debug}", "--secureGRPCAddr", "", "--httpsAddr", "", "--ctrlz_port", "0"),
        ]
        async with aiohttp.ClientSession() as session:

            async def ready() -> bool:
                try:
                    async with session.get(f"http://127.0.0.1:{http}/ready") as answer:
                        return answer.status == 200
                except aiohttp.ClientError:
                    return False

            async with running(command, log=log, ready=ready, patience_s=_PATIENCE_S):
                yield ControlPlane(objects, f"127.0.0.1:{xds}", f"127.0.0.1:{debug}", built, log, authority.root)


def _kubeconfig(api: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "stub", "cluster": {"server": f"http://{api}"}}],
        "contexts": [{"name": "stub", "context": {"cluster": "stub", "user": "istiod"}}],
        "users": [{"name": "istiod", "user": {}}],
        "current-context": "stub",
    }


def free_port() -> int:
    """A port that the kernel would choose now: istiod and Envoy's listeners must be told one before they start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
