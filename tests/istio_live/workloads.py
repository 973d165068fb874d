"""What a cluster's own controllers would write: Services, their endpoints, and pods."""

from collections.abc import Mapping
from dataclasses import dataclass

from istio_live.objects import Object


@dataclass(frozen=True, slots=True)
class Workload:
    """One pod, and the Service that selects it; `ports` maps a port's name to the Service's port and the pod's own."""

    service: str
    namespace: str
    ports: Mapping[str, tuple[int, int]]
    labels: Mapping[str, str]
    ip: str = "127.0.0.1"

    def objects(self) -> list[Object]:
        """The Service and its endpoints."""
        ports = [
            {"name": name, "port": port, "targetPort": inside, "protocol": "TCP"}
            for name, (port, inside) in self.ports.items()
        ]
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": self.service, "namespace": self.namespace},
            "spec": {"clusterIP": _cluster_ip(self), "ports": ports, "selector": dict(self.labels)},
        }
        return [namespace(self.namespace), service, self.endpoints()]

    def endpoints(self) -> Object:
        """What the endpoint controller makes of a Service and its pods."""
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{self.service}-1",
                "namespace": self.namespace,
                "labels": {"kubernetes.io/service-name": self.service},
            },
            "addressType": "IPv4",
            "endpoints": [{"addresses": [self.ip], "conditions": {"ready": True}}],
            "ports": [{"name": name, "port": inside, "protocol": "TCP"} for name, (_, inside) in self.ports.items()],
        }


def namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pod(workload: Workload) -> Object:
    """The pod of this workload, ready."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": workload.service, "namespace": workload.namespace, "labels": dict(workload.labels)},
        "spec": {"serviceAccountName": workload.service, "containers": [{"name": "istio-proxy", "image": "envoy"}]},
        "status": {
            "phase": "Running",
            "podIP": workload.ip,
            "podIPs": [{"ip": workload.ip}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def _cluster_ip(workload: Workload) -> str:
    """An address of its own for each Service; nothing listens there."""
    low = sum(f"{workload.namespace}/{workload.service}".encode())
    return f"10.98.{low // 250 % 250 + 1}.{low % 250 + 1}"
