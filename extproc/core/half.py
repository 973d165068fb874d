"""One direction of an exchange, whole, and the facts that a receipt states about it."""

from dataclasses import dataclass

from extproc.core.events import Headers
from extproc.core.headers import NO_HEADERS, HeaderMap
from extproc.core.inspection import Inspection
from extproc.core.receipt import RequestFacts, ResponseFacts

_STATUS_DIGITS = 3  # RFC 9110 section 15


@dataclass(frozen=True, slots=True)
class Half:
    """Its headers (none at all, where they never came), what we know of its body, and its trailers."""

    head: Headers
    inspection: Inspection
    trailers: HeaderMap = NO_HEADERS


def request_facts(request: Half) -> RequestFacts:
    """What a receipt says of the request."""
    head, seen = request.head, request.inspection
    return RequestFacts(
        id=attribute(head, "request.id") or head.headers.text("x-request-id"),
        method=head.headers.text(":method"),
        authority=head.headers.text(":authority"),
        path=head.headers.text(":path"),
        route=attribute(head, "xds.route_name"),
        principal=principal_of(head),
        source=attribute(head, "source.address").rpartition(":")[0],  # a port tells connections apart
        body_digest=seen.digest,
        body_bytes=seen.size,
        inspection=seen.state,
    )


def response_facts(response: Half) -> ResponseFacts:
    """What a receipt says of the response."""
    seen = response.inspection
    return ResponseFacts(status_of(response.head), seen.digest, seen.size, seen.state)


def status_of(head: Headers) -> int:
    """The `:status` of a response; 0 where it is not three digits."""
    digits = head.headers.first(":status") or b""
    return int(digits) if len(digits) == _STATUS_DIGITS and digits.isdigit() else 0


def attribute(head: Headers, name: str) -> str:
    """An attribute that is a text; empty where it is absent or anything else."""
    value = head.attributes.get(name)
    return value if isinstance(value, str) else ""


def principal_of(head: Headers) -> str:
    """The peer's identity: the URI SAN of its verified certificate, empty without mutual TLS."""
    return attribute(head, "connection.uri_san_peer_certificate")
