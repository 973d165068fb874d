"""The sidecar of the server's pod, as istiod configures it from the objects that `render` prints.

Istio's own catches the pod's traffic with iptables.  This one listens itself, on the pod's address: the Sidecar below
says so, and all the rest (who must show a certificate, and whose) is ours.
"""

import os
import re
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from istio_live.agent import agent, certified
from istio_live.control_plane import ControlPlane
from istio_live.objects import Object
from istio_live.proxy import proxy
from istio_live.workloads import Workload, pod

from extproc.config import Settings
from extproc.istio.attachment import LABELS, NAME, PORT, Attachment
from extproc.istio.manifests.pod import Workload as Pods
from extproc.istio.manifests.render import render

# An address of this process alone, so that the port can be the one that the objects name.
_PID = os.getpid()
IP = f"127.{1 + (_PID >> 16) % 250}.{_PID >> 8 & 255}.{_PID & 255}"
POD = Workload(NAME, NAME, {"grpc": (PORT, PORT)}, LABELS, ip=IP)
ACCOUNT = (NAME, NAME)
ACCESS = ("Service", "PeerAuthentication", "AuthorizationPolicy", "DestinationRule")
"""The kinds that say who reaches the server, and how."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Its log, with a line for each exchange."""

    log: Path

    async def callers(self) -> set[str]:
        """The identities that it let in so far."""
        return self._said("via_upstream")

    async def refused(self) -> set[str]:
        """The identities that the AuthorizationPolicy refused so far; their answer is gRPC's, with status 200."""
        return self._said(r"rbac_access_denied\S*")

    def _said(self, details: str) -> set[str]:
        return set(re.findall(rf"^\d+ {details} caller=(\S+)$", self.log.read_text(), re.MULTILINE))


def access(settings: Settings, attachment: Attachment, without: Collection[str] = ()) -> list[Object]:
    """What `render` prints of those kinds, and the pod, by which istiod knows the name that the gateway must check."""
    documents = render(settings, attachment, Pods(image=NAME, memory_bytes=1 << 30), "server")
    rendered = [dict(one) for one in documents if one["kind"] in ACCESS and one["kind"] not in without]
    _, service, endpoints = POD.objects()
    for one in rendered:
        if one["kind"] == "Service":
            one["spec"]["clusterIP"] = service["spec"]["clusterIP"]
    return [*rendered, endpoints, pod(POD)]


@asynccontextmanager
async def sidecar(
    plane: ControlPlane, folder: Path, *, server: int, account: tuple[str, str] = ACCOUNT
) -> AsyncIterator[Sidecar]:
    """Before the server at this port of this machine; the objects of `access` must have been applied.

    `account` is that of its certificate (namespace, name).
    """
    plane.objects.apply([_before(server)])
    identity = await certified(plane, *account)
    async with (
        agent(plane.root, identity) as sds,
        proxy(plane, "sidecar", POD, folder, agent=sds) as (_, log, _),
    ):
        yield Sidecar(log)


def _before(server: int) -> Object:
    """Listen on the pod's address, hand on to the server; reach nothing else."""
    listener = {
        "port": {"number": PORT, "protocol": "GRPC", "name": "grpc"},
        "bind": IP,
        "captureMode": "NONE",
        "defaultEndpoint": f"127.0.0.1:{server}",
    }
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "Sidecar",
        "metadata": {"name": NAME, "namespace": NAME},
        "spec": {
            "workloadSelector": {"labels": dict(LABELS)},
            "ingress": [listener],
            "egress": [{"hosts": ["~/*"]}],
        },
    }
