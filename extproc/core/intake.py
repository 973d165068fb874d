"""One direction of an exchange while its messages come in."""

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from extproc.core.body import Reassembly, inspect, inspect_missing, state_from_headers
from extproc.core.budget import MemoryBudget
from extproc.core.coding.effort import CpuClock
from extproc.core.events import Body, Direction, Event, Headers, Trailers
from extproc.core.half import Half, status_of
from extproc.core.headers import NO_HEADERS, HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits
from extproc.errors import Overloaded

_ENDLESS = frozenset({State.UPGRADE, State.STREAM})


_UNSEEN = {way: Headers(way, NO_HEADERS, end_of_stream=False) for way in Direction}


class Intake:
    """Headers, body and trailers as far as they have come, without what only the server may say."""

    def __init__(self, way: Direction, limits: Limits, budget: MemoryBudget, cpu_ns: CpuClock) -> None:
        self._limits = limits
        self._head = _UNSEEN[way]
        self._body = Reassembly(limits.body_bytes, budget, cpu_ns)
        self._trailers = NO_HEADERS
        self._inspection: Inspection | None = None
        self.begun = False

    def keep(self, event: Event, forged: Sequence[str] = ()) -> None:
        """Take a message, but not its `forged` headers.

        Raises Overloaded, and takes nothing, where the budget does not hold its bytes.
        """
        match event:
            case Headers():
                self._head, self.begun = _honest_head(event, forged), True
            case Body():
                self._feed(event.data)
            case Trailers():
                self._trailers = _honest(event.headers, forged)
            case _:
                assert_never(event)

    def _feed(self, data: bytes) -> None:
        try:
            self._body.feed(data)
        except Overloaded:
            self._inspection = Inspection(State.OVER_LIMIT, size=self._body.size + len(data))
            raise

    def announced(self) -> Half:
        """The direction as its headers alone announce it."""
        state = endless_state(self._head) or (State.EMPTY if self._head.end_of_stream else State.PENDING)
        return Half(self._head, replace(inspect_missing(self._head), state=state))

    def waive(self) -> Inspection:
        """The body will pass unseen, by name; what its headers tell of it stays."""
        seen = self.announced().inspection
        self._inspection = seen if seen.state is not State.PENDING else replace(seen, state=State.WAIVED)
        return self._inspection

    def inspect(self, last: Event) -> Inspection:
        """What we know about the body now that its last message came.

        Raises Overloaded where the budget does not hold its decoded bytes.
        """
        try:
            self._inspection = self._inspected(last)
        except Overloaded:
            self._inspection = Inspection(State.OVER_LIMIT, size=self._body.size, digest=self._body.digest)
            raise
        return self._inspection

    def _inspected(self, last: Event) -> Inspection:
        match last:
            case Headers() if (endless := endless_state(last)) is not None:
                return Inspection(endless)
            case Trailers() if not self._body.size:
                return inspect_missing(self._head)
            case _:
                return inspect(self._head, self._body, self._limits)

    def refuse(self) -> None:
        """Envoy has refused the body: it is larger than its buffer."""
        self._inspection = Inspection(State.OVER_LIMIT, size=self._body.size)

    def half(self) -> Half:
        """What a policy and a receipt see of the direction."""
        unseen = self._inspection or Inspection(State.NOT_SENT, size=self._body.size)
        return Half(self._head, unseen, self._trailers)

    def keep_shown(self, *, compatibility_bodies: bool) -> None:
        """Let go of the bytes where the documents to come show only what was made of them."""
        seen = self._inspection
        if seen is None or (seen.raw and (seen.parsed is seen.raw or seen.hidden or compatibility_bodies)):
            return
        self._inspection = replace(seen, raw=b"")
        self._body.release_bytes()

    def forget(self) -> None:
        """Let go of the body and of all that was made of it; what the receipts state about it stays."""
        self._body.release()
        seen = self._inspection
        if seen is not None:
            self._inspection = Inspection(seen.state, size=seen.size, digest=seen.digest)


def _honest_head(head: Headers, forged: Sequence[str]) -> Headers:
    if not forged:
        return head
    return Headers(head.direction, _honest(head.headers, forged), head.end_of_stream, head.attributes, head.metadata)


def _honest(headers: HeaderMap, forged: Sequence[str]) -> HeaderMap:
    return HeaderMap(tuple([pair for pair in headers if pair[0] not in forged])) if forged else headers


def endless_state(head: Headers) -> State | None:
    """The state of a body that cannot be waited for, seen at its headers."""
    state = state_from_headers(head.direction, head.headers, status_of(head))
    return state if state in _ENDLESS and not (head.end_of_stream and state is State.STREAM) else None
