"""Who may ask, and how: only the gateway, by its own certificate."""

from extproc.istio.attachment import ADMIN_PORT, LABELS, NAME, PORT, Attachment
from extproc.istio.manifests.files import GATEWAY_TLS_NAME
from extproc.istio.manifests.objects import Document, kubernetes_object

SIDECAR_PORT = 15_020
"""Istio's agent answers the kubelet's probes here, and Prometheus with our metrics among its own."""

MANY = 100_000
"""As in a plain Envoy: each exchange is a request to us for its whole life."""


def network_policy(attachment: Attachment, *, sidecar: bool) -> Document:
    """The gateway's pods reach the gRPC port; whoever scrapes reaches the sidecar's, or ours where there is none."""
    scraped = SIDECAR_PORT if sidecar else ADMIN_PORT
    gateway = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": attachment.gateway.namespace}},
        "podSelector": {"matchLabels": dict(attachment.gateway.labels)},
    }
    return kubernetes_object(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        attachment.namespace,
        spec={
            "podSelector": {"matchLabels": dict(LABELS)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [gateway], "ports": [{"port": PORT, "protocol": "TCP"}]},
                {"from": [{"namespaceSelector": {}}], "ports": [{"port": scraped, "protocol": "TCP"}]},
            ],
        },
    )


def peer_authentication(attachment: Attachment) -> Document:
    """Nobody without a certificate of the mesh."""
    spec = {"selector": {"matchLabels": dict(LABELS)}, "mtls": {"mode": "STRICT"}}
    return kubernetes_object("security.istio.io/v1", "PeerAuthentication", attachment.namespace, spec=spec)


def authorization_policy(attachment: Attachment) -> Document:
    """Nobody but the gateway's identity."""
    gateway = attachment.gateway
    principal = f"{attachment.trust_domain}/ns/{gateway.namespace}/sa/{gateway.service_account}"
    rule = {
        "from": [{"source": {"principals": [principal]}}],
        "to": [{"operation": {"ports": [str(PORT)]}}],
    }
    spec = {"selector": {"matchLabels": dict(LABELS)}, "action": "ALLOW", "rules": [rule]}
    return kubernetes_object("security.istio.io/v1", "AuthorizationPolicy", attachment.namespace, spec=spec)


def destination_rule(attachment: Attachment, *, sidecar: bool) -> Document:
    """Mutual TLS; pools for long streams; a pod that fails is left out for a while, half of them at most.

    Istio's own with a sidecar: only our service account is taken for the server, whatever endpoints there are.  Without
    one the gateway shows the certificate of a Secret in its namespace, and the server's must be of that Secret's CA and
    have the Service's name.
    """
    identity = f"spiffe://{attachment.trust_domain}/ns/{attachment.namespace}/sa/{NAME}"
    istios = {"mode": "ISTIO_MUTUAL", "subjectAltNames": [identity]}
    own = {
        "mode": "MUTUAL",
        "credentialName": GATEWAY_TLS_NAME,
        "sni": attachment.host,
        "subjectAltNames": [attachment.host],
    }
    policy = {
        "tls": istios if sidecar else own,
        "connectionPool": {
            "tcp": {"connectTimeout": "1s"},
            "http": {"http2MaxRequests": MANY, "http1MaxPendingRequests": MANY},
        },
        "outlierDetection": {
            "splitExternalLocalOriginErrors": True,
            "consecutiveLocalOriginFailures": 3,
            "consecutiveGatewayErrors": 5,
            "interval": "5s",
            "baseEjectionTime": "15s",
            "maxEjectionPercent": 50,
        },
    }
    spec = {"host": attachment.host, "trafficPolicy": policy}
    return kubernetes_object("networking.istio.io/v1", "DestinationRule", attachment.namespace, name=NAME, spec=spec)
