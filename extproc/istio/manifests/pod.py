"""The container, the same in a pod of ours and beside the gateway, and what it mounts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from extproc.errors import ConfigurationError
from extproc.istio.attachment import ADMIN_PORT, NAME, NAME_PATTERN, PORT
from extproc.istio.manifests.files import (
    CONFIG,
    CONFIG_NAME,
    KEYS,
    KEYS_NAME,
    POLICIES,
    RECEIPTS,
    TLS,
    TLS_NAME,
    PolicyFile,
    policies_name,
)
from extproc.istio.manifests.objects import Document

USER = 65_532
"""The image's user, as in the nonroot images of others."""

PROXY_USER = 1337
"""Istio's proxy: only the same user may connect to a socket that the server made."""

SOCKET_VOLUME = f"{NAME}-socket"

MIB = 1 << 20

QUANTITY_PATTERN = re.compile(r"[1-9][0-9]*([EPTGMK]i|[EPTGMk])?")
"""Whole ones of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/."""

_IMAGE = re.compile(r"[^\s]+")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Workload:
    """How the server is run.  `memory_bytes` is what traffic and policy can make one worker's container hold.

    Receipts lie in an emptyDir of `receipts_size`, which ends with the pod; with `storage_class` in a volume of that
    class, which is made for the pod and ends with it too, but whose size is a disk's: a full one denies, a full
    emptyDir costs the pod.
    """

    image: str
    memory_bytes: int
    replicas: int = 2
    receipts_size: str = "8Gi"
    storage_class: str | None = None
    revision: str | None = None

    def __post_init__(self) -> None:
        """Raises ConfigurationError for what Kubernetes would refuse, or would take for something else."""
        for option, value, pattern in (
            ("--image", self.image, _IMAGE),
            ("--receipts-size", self.receipts_size, QUANTITY_PATTERN),
            ("--storage-class", self.storage_class, _SUBDOMAIN),
            ("--revision", self.revision, NAME_PATTERN),
        ):
            if value is not None and not pattern.fullmatch(value):
                raise ConfigurationError(f"{option}: {value!r} is none")


def container(
    workload: Workload, policies: Sequence[PolicyFile], socket_folder: str | None = None, *, tls: bool = False
) -> Document:
    """Restricted in the sense of the Pod Security Standards; the root file system is read-only.

    `socket_folder` is shared with the gateway's container; without it the server listens on a port, with `tls` of its
    own or behind a sidecar.
    """
    admin = {"name": "admin", "containerPort": ADMIN_PORT, "protocol": "TCP"}
    grpc = {"name": "grpc", "containerPort": PORT, "protocol": "TCP"}
    user = USER if socket_folder is None else PROXY_USER
    return {
        "name": NAME,
        "image": workload.image,
        "args": ["serve", "--config", str(CONFIG)],
        "ports": [grpc, admin] if socket_folder is None else [admin],
        # A policy is compiled before the first answer: large ones take their time once.
        "startupProbe": _probe("/readyz", periodSeconds=2, failureThreshold=60),
        "readinessProbe": _probe("/readyz", periodSeconds=2, failureThreshold=1),
        "livenessProbe": _probe("/livez", periodSeconds=10, failureThreshold=3),
        # The endpoint leaves the gateway's list while the server still takes what comes.
        "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        "resources": {
            "requests": {"cpu": "1", "memory": "512Mi"},
            "limits": {"memory": f"{-(-workload.memory_bytes // MIB)}Mi"},
        },
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": user,
            "runAsGroup": user,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": _mounts(policies, socket_folder, tls=tls),
    }


def _mounts(policies: Sequence[PolicyFile], socket_folder: str | None, *, tls: bool) -> list[Document]:
    mounts: list[Document] = [
        {"name": f"{NAME}-config", "mountPath": str(CONFIG.parent), "readOnly": True},
        {"name": f"{NAME}-keys", "mountPath": str(KEYS), "readOnly": True},
        {"name": f"{NAME}-receipts", "mountPath": str(RECEIPTS)},
        {"name": f"{NAME}-tmp", "mountPath": "/tmp"},  # noqa: S108 - of the container, an emptyDir
    ]
    if policies:
        mounts.insert(1, {"name": f"{NAME}-policies", "mountPath": str(POLICIES), "readOnly": True})
    if tls:
        mounts.append({"name": TLS_NAME, "mountPath": str(TLS), "readOnly": True})
    if socket_folder is not None:
        mounts.append({"name": SOCKET_VOLUME, "mountPath": socket_folder})
    return mounts


def volumes(workload: Workload, policies: Sequence[PolicyFile], *, tls: bool = False) -> list[Document]:
    """What the mounts name.  The policies get their folders back: where a data document lies is where it is mounted."""
    found: list[Document] = [
        {"name": f"{NAME}-config", "configMap": {"name": CONFIG_NAME}},
        {"name": f"{NAME}-keys", "secret": {"secretName": KEYS_NAME, "defaultMode": 0o440}},
        {"name": f"{NAME}-receipts", **_receipts(workload)},
        {"name": f"{NAME}-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    ]
    if policies:
        items = [{"key": file.key, "path": str(file.path)} for file in policies]
        found.insert(1, {"name": f"{NAME}-policies", "configMap": {"name": policies_name(policies), "items": items}})
    if tls:
        found.append({"name": TLS_NAME, "secret": {"secretName": TLS_NAME, "defaultMode": 0o440}})
    return found


def _receipts(workload: Workload) -> Document:
    if workload.storage_class is None:
        return {"emptyDir": {"sizeLimit": workload.receipts_size}}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": workload.storage_class,
        "resources": {"requests": {"storage": workload.receipts_size}},
    }
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def _probe(path: str, **timing: int) -> Document:
    return {"httpGet": {"path": path, "port": "admin"}, **timing}
