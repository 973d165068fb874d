"""What the operator configured, as far as the core needs it; the worker builds it from Settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

from extproc.core.events import Direction
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.errors import Answer

StateAnswer: TypeAlias = int | Literal["evaluate"]


class Mode(StrEnum):
    """`policy.mode`: what a verdict does to the traffic."""

    ENFORCE = "enforce"
    SHADOW = "shadow"
    OFF = "off"


_SHORT_BYTES = 64 << 10
"""Rows that are all the same compress by more than 200, but seldom come in longer bodies (docs/inspection.md)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Byte limits of one body and the bounds of what a decoder will do (see core/coding and core/decoding).

    `lifts`: JSON-RPC and GraphQL are looked for, and what is lifted of them has bounds of its own.
    """

    body_bytes: int = 1 << 20
    decoded_bytes: int = 10 << 20
    decoded_ratio: int = 200
    containers: int = 250_000  # some 35 ms
    depth: int = 64
    fields: int = 10_000
    names: int = 3_000  # so that they stay in the cache of a CPU; large schemas have as many
    nodes: int = 35_000  # some 45 ms of the dearest XML
    parts: int = 1_000  # as Werkzeug and Starlette bound them by default
    values: int = 600_000
    lifts: bool = True

    def decoded(self, size: int) -> int:
        """What a content coding of `size` bytes may unfold to.

        More than a short body has to be paid for with bytes on the wire: what unfolds costs as much as it does plain.
        """
        short = min(self.body_bytes, _SHORT_BYTES)
        return min(self.decoded_bytes, max(short, self.decoded_ratio * size))


@dataclass(frozen=True, slots=True)
class Blocking:
    """How a denial looks to the client."""

    status: int = 403
    failure_status: int = 503
    message: str = "Access Forbidden"
    format: Literal["json", "text"] = "json"

    def status_of(self, answer: Answer) -> int:
        """The configured status of a kind of error."""
        return self.status if answer is Answer.BLOCKING else self.failure_status


@dataclass(frozen=True, slots=True)
class Mutations:
    """What a policy may change.  Each name is lower-case and may end in `*`."""

    request_headers: tuple[str, ...] = ("x-extproc-*",)
    response_headers: tuple[str, ...] = ("x-extproc-*",)
    path: bool = False

    def permits(self, direction: Direction, name: str) -> bool:
        """Whether the configuration lets a policy touch this header."""
        patterns = self.request_headers if direction is Direction.REQUEST else self.response_headers
        return any(_matches(name, pattern) for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _states() -> dict[Direction, dict[State, StateAnswer]]:
    request: dict[State, StateAnswer] = {
        State.OVER_LIMIT: 413,
        State.UNDECODABLE: 415,
        State.MALFORMED: 400,
        State.TYPE_MISMATCH: 415,
        State.NOT_SENT: 403,
        State.UPGRADE: 403,
    }
    hidden = ("over_limit", "undecodable", "malformed", "type_mismatch", "not_sent", "partial", "stream")
    return {Direction.REQUEST: request, Direction.RESPONSE: {State(name): 403 for name in hidden}}


@dataclass(frozen=True, slots=True)
class Rules:
    """One exchange's configuration.  `entrypoints` has the policy path of each point; None skips the point by name."""

    mode: Mode = Mode.ENFORCE
    request: Limits = Limits()
    response: Limits = Limits(lifts=False)  # nobody is shown what would be lifted of one
    states: Mapping[Direction, Mapping[State, StateAnswer]] = field(default_factory=_states)
    entrypoints: Mapping[Point, str | None] = field(
        default_factory=lambda: {
            Point.HEADERS: None,
            Point.REQUEST: "extproc/request/decision",
            Point.RESPONSE: "extproc/response/decision",
        }
    )
    blocking: Blocking = Blocking()
    mutations: Mutations = Mutations()
    prefix: str = "x-extproc-"
    compatibility_bodies: bool = False

    def limits(self, direction: Direction) -> Limits:
        """The limits of one direction's body."""
        return self.request if direction is Direction.REQUEST else self.response
