"""The story as data: what is sent, what must come of it, and where what came differs from that."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from extproc.core.events import JSON
from extproc.core.point import Point
from extproc.demo.proof import Proof
from extproc.demo.upstream import Arrival

BLOCKING_STATUS = 403
BLOCKING_MESSAGE = "Blocked by the shop's policy"
REQUEST_BODY_BYTES = 64 << 10
"""What the server is configured to answer (`blocking.*`), and a limit that is small enough to be broken quickly."""

_ATTACK = "x' OR '1'='1' --"
_PNG = bytes.fromhex("89504e470d0a1a0a") + b"and the rest of a picture"


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer's status and a part of its message; the reason of the last receipt, "" for an allow, and its phase."""

    status: int
    reason: str = ""
    message: str = ""
    phase: Point = Point.RESPONSE
    reaches_upstream: bool = True


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and what must come of it.

    `excerpt` is the part of the body that matters; the traces of `told` ones are shown whole.
    """

    title: str
    method: str
    path: str
    expected: Expected
    content_type: str = ""
    body: bytes = b""
    excerpt: str = ""
    told: bool = False


@dataclass(frozen=True, slots=True)
class Observed:
    """What came of an exchange.

    `message` is the answer's problem detail (RFC 9457), `arrival` what the upstream got, `engine` the one to ask,
    `proofs` the receipts in the order of their phases.
    """

    status: int
    message: str
    receipt_id: str
    arrival: Arrival | None
    engine: str
    proofs: tuple[Proof, ...]


def differences(exchange: Exchange, observed: Observed) -> tuple[str, ...]:
    """Everything that is not as expected, each in a few words; nothing where all is well."""
    return (
        *_answer_differences(exchange.expected, observed),
        *_upstream_differences(exchange, observed),
        *_verdict_differences(exchange.expected, observed),
        *_proof_differences(observed),
    )


def _answer_differences(expected: Expected, observed: Observed) -> Iterator[str]:
    if observed.status != expected.status:
        yield f"the client got {observed.status}, expected {expected.status}"
    if expected.message not in observed.message:
        yield f"the message is {observed.message!r}, expected {expected.message!r}"


def _upstream_differences(exchange: Exchange, observed: Observed) -> Iterator[str]:
    arrival = observed.arrival
    if (arrival is not None) != exchange.expected.reaches_upstream:
        yield "the upstream saw it" if arrival else "the upstream never saw it"
    if arrival and (arrival.method, arrival.path, arrival.body) != (exchange.method, exchange.path, exchange.body):
        yield "the upstream saw another request than was sent"


def _verdict_differences(expected: Expected, observed: Observed) -> Iterator[str]:
    if not observed.proofs:
        yield f"no receipt is in the log for the answer's id {observed.receipt_id!r}"
        return
    last = observed.proofs[-1]
    if last.reason != expected.reason:
        yield f"decided by {last.reason or 'allow'}, expected {expected.reason or 'allow'}"
    if last.statement.phase is not expected.phase:
        yield f"decided at the {last.statement.phase}, expected at the {expected.phase}"


def _proof_differences(observed: Observed) -> Iterator[str]:
    for proof in observed.proofs:
        if not proof.in_span:
            yield f"no span carries receipt {proof.statement.receipt_id}"
        if proof.engine not in ("", observed.engine):
            yield f"decided by the engine {proof.engine}, expected {observed.engine}"
    if observed.arrival is not None and observed.proofs:
        given, first = observed.arrival.headers.get("x-extproc-receipt-id"), observed.proofs[0].statement.receipt_id
        if given != first:
            yield f"the upstream was given receipt {given}, the log has {first}"


def _json(value: JSON) -> bytes:
    return json.dumps(value).encode()


_AT_REQUEST = Point.REQUEST
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"

STORY = (
    Exchange("read the orders", "GET", "/orders", Expected(200)),
    Exchange(
        "a JSON order",
        "POST",
        "/orders",
        Expected(201),
        _JSON,
        _json({"customer": "Ada", "items": [{"sku": "D-2", "options": {"engraving": {"text": "for Grace"}}}]}),
        told=True,
    ),
    Exchange(
        "an attack deep in JSON",
        "POST",
        "/orders",
        Expected(BLOCKING_STATUS, "sql_injection", BLOCKING_MESSAGE, _AT_REQUEST, reaches_upstream=False),
        _JSON,
        _json({"customer": "Mallory", "items": [{"sku": "D-2", "options": {"engraving": {"text": _ATTACK}}}]}),
        excerpt=_ATTACK,
        told=True,
    ),
    Exchange(
        "the same attack in a form",
        "POST",
        "/login",
        Expected(BLOCKING_STATUS, "sql_injection", BLOCKING_MESSAGE, _AT_REQUEST, reaches_upstream=False),
        _FORM,
        urlencode({"user": "mallory", "password": _ATTACK}).encode(),
        excerpt=_ATTACK,
    ),
    Exchange(
        "the answer leaks a card",
        "GET",
        "/customers/42",
        Expected(BLOCKING_STATUS, "card_number_leak", BLOCKING_MESSAGE),
        told=True,
    ),
    Exchange(
        "another tenant's answer",
        "POST",
        "/tenants/other",
        Expected(BLOCKING_STATUS, "tenant_mismatch", BLOCKING_MESSAGE),
        _JSON,
        _json({"tenant": "acme", "month": "2026-10"}),
    ),
    Exchange(
        "a body over the limit",
        "POST",
        "/orders",
        Expected(413, "over_limit", "over_limit", _AT_REQUEST, reaches_upstream=False),
        _JSON,
        _json({"note": "x" * REQUEST_BODY_BYTES}),
    ),
    Exchange(
        "malformed: a key twice",
        "POST",
        "/orders",
        Expected(400, "malformed", "malformed", _AT_REQUEST, reaches_upstream=False),
        _JSON,
        b'{"item": "desk", "eur": 429, "eur": 1}',
        excerpt='"eur": 429, "eur": 1',
    ),
    Exchange(
        "opaque: an unknown type",
        "POST",
        "/documents",
        Expected(BLOCKING_STATUS, "opaque_body", BLOCKING_MESSAGE, _AT_REQUEST, reaches_upstream=False),
        "application/x-payload",
        b"\x00\x01\x02\x03 whatever this is",
    ),
    Exchange("opaque: a listed type", "POST", "/documents", Expected(201), "image/png", _PNG),
)
