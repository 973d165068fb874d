"""TLS to the server: whether there is any, and whether it would notice another server."""

from collections.abc import Iterator
from ipaddress import ip_address

from envoy_data_plane.envoy.config.cluster.v3 import Cluster

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import Node
from extproc.istio.doctor.view import SeenCluster, View

_RAW_BUFFER = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
UPSTREAM_TLS = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"

_CA = ("trusted_ca", "system_root_certs", "ca_certificate_provider_instance", "custom_validator_config")
_PINS = ("verify_certificate_spki", "verify_certificate_hash")
_NAMES = ("match_typed_subject_alt_names", "match_subject_alt_names")


def _plaintext(view: View, _: Expected) -> Iterator[Spot]:
    for cluster in view.clusters.values():
        sockets = list(_sockets(cluster.node))
        if not any(map(_secures, sockets)) and not _on_this_machine(cluster.config):
            saying = "is raw_buffer" if sockets else "is absent"
            yield Spot(cluster.node.path_to("transport_socket"), f"{saying}, and the server is on another machine")


def _tls_missing(view: View, expected: Expected) -> Iterator[Spot]:
    for cluster in view.clusters.values() if expected.tls else ():
        if not any(map(_secures, _sockets(cluster.node))):
            yield Spot(cluster.node.path_to("transport_socket"), "is absent or raw_buffer, and the server has tls")


def _unverified(view: View, _: Expected) -> Iterator[Spot]:
    for cluster in view.clusters.values():
        for context in _contexts(cluster):
            common = context.field("common_tls_context") or context
            combined = common.field("combined_validation_context")
            static = combined.field("default_validation_context") if combined else common.field("validation_context")
            from_elsewhere = any(
                place.field("validation_context_sds_secret_config") for place in (common, combined) if place
            )
            if not from_elsewhere and not _has(static, *_CA, *_PINS):
                yield Spot(common.path_to("validation_context"), "has no CA: Envoy takes any certificate")
            elif not _names_compared(cluster, context, static, unseen=from_elsewhere and combined is None):
                place = static.path_to(_NAMES[0]) if static else common.path_to("validation_context")
                yield Spot(place, "is absent: Envoy takes every certificate of the CA")


def _names_compared(cluster: SeenCluster, context: Node, static: Node | None, *, unseen: bool) -> bool:
    """`unseen`: the whole validation context comes by way of SDS, and the dump does not say what is in it."""
    options = cluster.protocol[1].upstream_http_protocol_options if cluster.protocol else None
    automatic = (options is not None and options.auto_san_validation) or _has(context, "auto_sni_san_validation")
    return unseen or automatic or _has(static, *_NAMES, *_PINS)


def _sockets(cluster: Node) -> Iterator[Node]:
    for place in (cluster, *cluster.each("transport_socket_matches")):
        if socket := place.field("transport_socket"):
            yield socket


def _secures(socket: Node) -> bool:
    """Envoy goes by the type, and takes none without."""
    config = socket.field("typed_config")
    return config is not None and config.type_name != _RAW_BUFFER


def _on_this_machine(cluster: Cluster) -> bool:
    """Whether every endpoint is known, and a Unix socket or loopback."""
    groups = cluster.load_assignment.endpoints if cluster.load_assignment else []
    endpoints = [each.endpoint for group in groups for each in group.lb_endpoints]
    addresses = [endpoint.address for endpoint in endpoints if endpoint is not None]
    return bool(addresses) and all(
        address is not None
        and (
            address.pipe is not None
            or (address.socket_address is not None and _loopback(address.socket_address.address))
        )
        for address in addresses
    )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _contexts(cluster: SeenCluster) -> Iterator[Node]:
    for socket in _sockets(cluster.node):
        if (config := socket.field("typed_config")) and config.type_name == UPSTREAM_TLS:
            yield config


def _has(place: Node | None, *fields: str) -> bool:
    """Whether one of them is there, and neither empty nor false."""
    return place is not None and any((field := place.field(name)) is not None and field.value for name in fields)


CHECKS = (
    Check(
        "processor_plaintext",
        Severity.WARNING,
        "Bodies and verdicts cross the network in the clear: whoever stands between can read the ones and write the "
        "others.",
        "Set tls.mode ISTIO_MUTUAL in the DestinationRule, or a transport_socket on the cluster.",
        _plaintext,
    ),
    Check(
        "tls_missing",
        Severity.ERROR,
        "The server takes mutual TLS alone: every exchange is refused.",
        "Render the gateway's configuration again, from the server's own (docs/how-to/mutual-tls.md).",
        _tls_missing,
    ),
    Check(
        "server_unverified",
        Severity.WARNING,
        "Whoever stands between can pose as the server: it reads every body and writes every verdict.",
        "Name the CA and the server's subjectAltName: subjectAltNames in the DestinationRule, or trusted_ca and "
        "match_typed_subject_alt_names in the validation context.",
        _unverified,
    ),
)
