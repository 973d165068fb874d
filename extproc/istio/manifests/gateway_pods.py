"""What has to change in the gateway's own pods, which are not ours: a patch for whoever owns them."""

from collections.abc import Sequence

import yaml

from extproc.istio.attachment import NAME, ApiGateway, Attachment
from extproc.istio.gateway import UnixAddress
from extproc.istio.manifests.files import PolicyFile
from extproc.istio.manifests.objects import Document, kubernetes_object
from extproc.istio.manifests.pod import PROXY_USER, SOCKET_VOLUME, Workload, container, volumes

GATEWAY_CONTAINER = "istio-proxy"

RUNTIME = {"runtimeValues": {"envoy.reloadable_features.ext_proc_graceful_grpc_close": "true"}}
"""Without it Envoy resets every stream to us, and a grpc server keeps a hundred bytes of each (docs/performance.md)."""


def gateway_pods(
    attachment: Attachment,
    workload: Workload,
    policies: Sequence[PolicyFile],
    socket: UnixAddress | None,
    content_digest: str,
) -> Document:
    """A strategic merge patch of the gateway's Deployment; for the Gateway API the ConfigMap that istiod takes it from.

    `socket` is the first worker's, of the in-pod profile: its folder is shared by both containers, and a change of what
    `content_digest` is over is a rollout.  A classic gateway's pods get the labels by which the EnvoyFilter finds them.
    """
    annotations = {"proxy.istio.io/config": yaml.safe_dump(RUNTIME)}
    if socket is not None:
        annotations["extproc/content"] = content_digest
    gateway = attachment.gateway
    labels = {} if isinstance(gateway, ApiGateway) else {"labels": dict(gateway.labels)}
    template: Document = {"metadata": {**labels, "annotations": annotations}}
    if socket is not None:
        template["spec"] = _beside(workload, policies, socket)
    patch: Document = {"spec": {"template": template}}
    if not isinstance(gateway, ApiGateway):
        return patch
    data = {"deployment": yaml.safe_dump(patch, sort_keys=False, width=120)}
    return kubernetes_object("v1", "ConfigMap", gateway.namespace, name=f"{NAME}-gateway-options", data=data)


def _beside(workload: Workload, policies: Sequence[PolicyFile], socket: UnixAddress) -> Document:
    folder = socket.path.rpartition("/")[0]
    shared = {"name": SOCKET_VOLUME, "mountPath": folder}
    return {
        "securityContext": {"fsGroup": PROXY_USER},
        "containers": [
            container(workload, policies, folder),
            {"name": GATEWAY_CONTAINER, "volumeMounts": [shared]},
        ],
        "volumes": [
            *volumes(workload, policies),
            {"name": SOCKET_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
    }
