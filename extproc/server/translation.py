"""From Settings to the values that the core knows."""

from dataclasses import dataclass

from extproc.config import Settings
from extproc.config.settings import Inspection
from extproc.core.events import Direction
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.rules import Blocking, Limits, Mode, Mutations, Rules, StateAnswer


def rules_of(settings: Settings) -> Rules:
    """What one exchange needs to know of the configuration."""
    inspection, blocking = settings.inspection, settings.blocking
    states = inspection.states
    response: dict[State, StateAnswer] = {
        State(name): blocking.status if answer is None else answer for name, answer in states.response
    }
    return Rules(
        mode=Mode(settings.policy.mode),
        request=_limits(inspection, inspection.request_body_bytes, lifts=True),
        response=_limits(inspection, inspection.response_body_bytes, lifts=False),
        states={Direction.REQUEST: {State(k): v for k, v in states.request}, Direction.RESPONSE: response},
        entrypoints={Point(name): path for name, path in settings.policy.points},
        blocking=Blocking(blocking.status, blocking.failure_status, blocking.message, blocking.format),
        mutations=Mutations(
            settings.mutations.request_headers, settings.mutations.response_headers, settings.mutations.path
        ),
        prefix=settings.headers.prefix,
        compatibility_bodies=inspection.compatibility_bodies,
    )


def _limits(inspection: Inspection, body_bytes: int, *, lifts: bool) -> Limits:
    return Limits(body_bytes, inspection.decoded_bytes, inspection.decoded_ratio, lifts=lifts)


STREAMS = 1024
"""Exchanges of a worker at a time: far above what one event loop keeps busy, low enough to bound its memory."""


def receive_limit_bytes(settings: Settings) -> int:
    """The largest gRPC message: Envoy's buffer (the larger body limit + 64 KiB) + 1 MiB for headers and framing."""
    inspection = settings.inspection
    return max(inspection.request_body_bytes, inspection.response_body_bytes) + (64 << 10) + (1 << 20)


_WINDOWS_BYTES = 17 << 20
"""What a decoder needs for itself: Brotli's window of 16 MiB (RFC 7932 section 9.1), and its tables."""
_TREE_FACTOR = 60
"""A parser's tree of a body that is all brackets was measured to take 45 to 51 times its bytes; the rest is margin."""


@dataclass(frozen=True, slots=True)
class MemoryBound:
    """The most bytes that traffic can make one worker hold, part by part.

    Not in it: the process as it starts, and what the policy engine is handed and makes of it.
    """

    bodies: int
    messages: int
    inspection: int

    @property
    def total(self) -> int:
        """All of it at once."""
        return self.bodies + self.messages + self.inspection


_PROCESSES_BYTES = 512 << 20
"""A worker, the supervisor and the shipper as they start, and margin."""


def most_memory_bytes(settings: Settings) -> int:
    """What a container with one worker holds at most: for its limit."""
    return memory_bound(settings).total + settings.policy.memory_bytes + _PROCESSES_BYTES


def memory_bound(settings: Settings) -> MemoryBound:
    """Bodies until `overloaded`; for each stream a message that waits to be read; one inspection at a time."""
    inspection = settings.inspection
    largest = max(inspection.request_body_bytes, inspection.response_body_bytes, inspection.decoded_bytes)
    return MemoryBound(
        bodies=inspection.memory_bytes,
        messages=STREAMS * receive_limit_bytes(settings),
        inspection=_WINDOWS_BYTES + _TREE_FACTOR * largest,
    )


def worker_address(listen: str, index: int, workers: int) -> str:
    """The address of a worker: port + index, or `<socket>.<index>`; port 0 stays 0, and the kernel chooses.

    A single worker's socket has no suffix.
    """
    if workers == 1:
        return listen
    if listen.startswith("unix:"):
        return f"{listen}.{index}"
    host, _, port = listen.rpartition(":")
    return f"{host}:{int(port) + index if int(port) else 0}"
