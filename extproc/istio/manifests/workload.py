"""The server in pods of its own: the service profile."""

from collections.abc import Sequence

from extproc.istio.attachment import ADMIN_PORT, LABELS, NAME, PORT, Attachment
from extproc.istio.manifests.files import PolicyFile
from extproc.istio.manifests.objects import Document, kubernetes_object
from extproc.istio.manifests.pod import USER, Workload, container, volumes

DRAIN_S = 45
"""preStop 5 s, then the server's own 27 s at most (docs/operations.md), and the sidecar's end."""

# The sidecar lets open exchanges end, and is there before the first one.
_OF_THE_SIDECAR = {"proxy.istio.io/config": "terminationDrainDuration: 35s\nholdApplicationUntilProxyStarts: true\n"}

# Istio's agent, where there is one, adds our metrics to its own, so that a scrape needs no certificate.
_SCRAPED = {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": str(ADMIN_PORT),
    "prometheus.io/path": "/metrics",
}


def namespace(attachment: Attachment, workload: Workload, *, sidecar: bool) -> Document:
    """With Istio's sidecars.  Their init container is what `restricted` warns of where there is no Istio CNI."""
    document = kubernetes_object("v1", "Namespace", None, name=attachment.namespace)
    injected = {"istio.io/rev": workload.revision} if workload.revision else {"istio-injection": "enabled"}
    labels = LABELS | (injected if sidecar else {"istio-injection": "disabled"})
    for level in ("audit", "warn") if sidecar else ("enforce", "audit", "warn"):
        labels |= {f"pod-security.kubernetes.io/{level}": "restricted"}
    document["metadata"] = {"name": attachment.namespace, "labels": labels}
    return document


def service_account(attachment: Attachment) -> Document:
    """An identity, and no rights in the cluster."""
    return kubernetes_object("v1", "ServiceAccount", attachment.namespace, automountServiceAccountToken=False)


def service(attachment: Attachment) -> Document:
    """GRPC by name and by `appProtocol`: Istio would speak HTTP/1.1 otherwise."""
    port = {"name": "grpc", "port": PORT, "targetPort": "grpc", "protocol": "TCP", "appProtocol": "grpc"}
    spec = {"selector": dict(LABELS), "ports": [port]}
    return kubernetes_object("v1", "Service", attachment.namespace, spec=spec)


def disruption_budget(attachment: Attachment) -> Document:
    """Nodes are drained one of our pods at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": dict(LABELS)}}
    return kubernetes_object("policy/v1", "PodDisruptionBudget", attachment.namespace, spec=spec)


def deployment(
    attachment: Attachment, workload: Workload, policies: Sequence[PolicyFile], content_digest: str, *, sidecar: bool
) -> Document:
    """A new pod is ready before an old one goes; `content_digest` is over what the ConfigMaps hold."""
    template = {
        "metadata": {
            "labels": LABELS | ({} if sidecar else {"sidecar.istio.io/inject": "false"}),
            "annotations": {"extproc/content": content_digest} | (_OF_THE_SIDECAR if sidecar else {}) | _SCRAPED,
        },
        "spec": {
            "serviceAccountName": NAME,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": DRAIN_S,
            "securityContext": {"fsGroup": USER, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "topologySpreadConstraints": [_spread("kubernetes.io/hostname"), _spread("topology.kubernetes.io/zone")],
            "containers": [container(workload, policies, tls=not sidecar)],
            "volumes": volumes(workload, policies, tls=not sidecar),
        },
    }
    spec = {
        "replicas": workload.replicas,
        "selector": {"matchLabels": dict(LABELS)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template,
    }
    return kubernetes_object("apps/v1", "Deployment", attachment.namespace, spec=spec)


def _spread(key: str) -> Document:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(LABELS)},
    }
