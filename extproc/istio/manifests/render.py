"""Everything that a mesh needs, in the order in which it is applied."""

from dataclasses import replace
from typing import Literal, TypeAlias, assert_never

from extproc.config import Settings
from extproc.istio.attachment import Attachment
from extproc.istio.gateway import UnixAddress, address_of
from extproc.istio.manifests.access import (
    authorization_policy,
    destination_rule,
    network_policy,
    peer_authentication,
)
from extproc.istio.manifests.files import config_map, digest, policies_map, policy_files
from extproc.istio.manifests.gateway_pods import gateway_pods
from extproc.istio.manifests.objects import Document
from extproc.istio.manifests.pod import Workload
from extproc.istio.manifests.workload import deployment, disruption_budget, namespace, service, service_account
from extproc.istio.mapping import envoy_filter_of

Part: TypeAlias = Literal["all", "server", "gateway", "gateway-pods"]


def render(settings: Settings, attachment: Attachment, workload: Workload, part: Part) -> list[Document]:
    """`server`: all but the EnvoyFilter.  `gateway`: the EnvoyFilter, which starts to ask.  `gateway-pods`: a patch.

    Raises ConfigurationError for what Envoy, a ConfigMap or this profile cannot hold.
    """
    gateway: list[Document] = [dict(envoy_filter_of(settings, attachment).document())]
    match part:
        case "all":
            return server(settings, attachment, workload) + gateway
        case "server":
            return server(settings, attachment, workload)
        case "gateway":
            return gateway
        case "gateway-pods":
            return [patch(settings, attachment, workload)]
    assert_never(part)


def server(settings: Settings, attachment: Attachment, workload: Workload) -> list[Document]:
    """The server before anybody asks it; in the in-pod profile its files alone.

    With `tls` the server ends mutual TLS itself and has no sidecar, nor what only a sidecar would heed.
    """
    policies = policy_files(settings)
    files = [config_map(attachment, settings)]
    if policies:
        files.append(policies_map(attachment, policies))
    if attachment.profile == "in-pod":
        return files
    sidecar = settings.tls is None
    return [
        namespace(attachment, workload, sidecar=sidecar),
        service_account(attachment),
        *files,
        network_policy(attachment, sidecar=sidecar),
        *([peer_authentication(attachment), authorization_policy(attachment)] if sidecar else []),
        destination_rule(attachment, sidecar=sidecar),
        service(attachment),
        disruption_budget(attachment),
        deployment(attachment, workload, policies, digest(*files), sidecar=sidecar),
    ]


def patch(settings: Settings, attachment: Attachment, workload: Workload) -> Document:
    """For the gateway's own pods."""
    listen = address_of(settings.listen)
    in_pod = attachment.profile == "in-pod"
    socket = listen if in_pod and isinstance(listen, UnixAddress) else None
    content = digest(*server(settings, attachment, workload))  # in-pod: the ConfigMaps, and nothing else
    # Beside the gateway no replicas of ours scale, so the workers stay, and each of them holds as much.
    together = replace(workload, memory_bytes=workload.memory_bytes * settings.workers)
    return gateway_pods(attachment, together, policy_files(settings), socket, content)
