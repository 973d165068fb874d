"""Envoy's messages in, our replies out: frozen values that the codec translates to and from protobuf bytes.

Source: envoy/service/ext_proc/v3/external_processor.proto (ProcessingRequest, ProcessingResponse).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TypeAlias

from extproc.core.headers import NO_MUTATION, HeaderMap, HeaderMutation

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


class Direction(StrEnum):
    """Which half of the exchange."""

    REQUEST = "request"
    RESPONSE = "response"


# ---------------------------------------------------------------- Envoy -> us


@dataclass(frozen=True, slots=True)
class Headers:
    """`request_headers` or `response_headers`; `end_of_stream` alone says that there is no body.

    `attributes` are the CEL attributes that the filter was told to send, flat: `request.id`, `response.code_details` …
    `metadata` is `metadata_context.filter_metadata`: what other filters (JWT authentication) said about the request.
    """

    direction: Direction
    headers: HeaderMap
    end_of_stream: bool
    attributes: Mapping[str, JSON] = field(default_factory=dict)
    metadata: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Body:
    """`request_body` or `response_body`.  Without `end_of_stream` either more body or trailers follow."""

    direction: Direction
    data: bytes
    end_of_stream: bool


@dataclass(frozen=True, slots=True)
class Trailers:
    """`request_trailers` or `response_trailers`: always the last message of their direction."""

    direction: Direction
    headers: HeaderMap


Event: TypeAlias = Headers | Body | Trailers


# ---------------------------------------------------------------- us -> Envoy


class Guard(StrEnum):
    """What a guard filter in Envoy may find under our metadata namespace."""

    ALLOW = "allow"
    DENY = "deny"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Signal:
    """Dynamic metadata in a reply: what the guards read, and what the policy wants other filters to know."""

    request: Guard | None = None
    response: Guard | None = None
    policy: Mapping[str, JSON] = field(default_factory=dict)


NO_SIGNAL = Signal()


class Part(StrEnum):
    """The part of the exchange that a reply answers; Envoy accepts only the one it asked about."""

    HEADERS = "headers"
    BODY = "body"
    TRAILERS = "trailers"


class Waiver(Enum):
    """Bodies that Envoy shall not buffer, and so not send: that of the request, or both."""

    REQUEST = "request"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Continue:
    """HeadersResponse, BodyResponse or TrailersResponse: go on, with these changes.

    `waiver` (headers only) becomes a `mode_override` that stops Envoy from buffering: the bodies then pass uninspected,
    so it is sent only where the receipt says so.
    """

    direction: Direction
    part: Part
    mutation: HeaderMutation = NO_MUTATION
    signal: Signal = NO_SIGNAL
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class ImmediateResponse:
    """The final answer to the client: Envoy ends the exchange.

    `grpc_status` is set for gRPC clients only; `details` is one word and lands in `%RESPONSE_CODE_DETAILS%`.
    """

    status: int
    mutation: HeaderMutation
    body: bytes
    details: str
    signal: Signal
    grpc_status: int | None = None


Reply: TypeAlias = Continue | ImmediateResponse
