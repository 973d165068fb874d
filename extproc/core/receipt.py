"""The receipt: what an exchange claims about one verdict.

docs/receipts.md shows the document; extproc.core.canonical writes its one byte form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from extproc.core.engine import PolicyIdentity
from extproc.core.events import Direction
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.rules import Mode
from extproc.core.trace import TraceContext

MAX_BYTES = 1900  # some trace stores cut attributes at 2,048
PAYLOAD_TYPE = "application/vnd.extproc.receipt.v1+json"


class Outcome(StrEnum):
    """The verdict.  `error` means that no decision was reached, by our failure or because Envoy answered first."""

    ALLOW = "allow"
    DENY = "deny"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """Who asked what.  `path`, `principal` and `source` are plain here and leave the process only as keyed digests."""

    id: str
    method: str
    authority: str
    path: str
    route: str
    principal: str
    source: str
    body_digest: str
    body_bytes: int
    inspection: State


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """What the upstream answered."""

    status: int
    body_digest: str
    body_bytes: int
    inspection: State


@dataclass(frozen=True, slots=True)
class MutationFact:
    """One change by the policy; `digest` is the SHA-256 of the new value, empty where there is none.

    `op` is set, append, remove, set_query or remove_query.  set_later and append_later, in a receipt of a request, are
    asked for and made when the response passes.
    """

    op: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """Which policy was asked, on exactly which input, and what exactly it said."""

    entrypoint: str
    identity: PolicyIdentity
    decision_id: str
    input_digest: str
    result_digest: str


@dataclass(frozen=True, slots=True)
class Claims:
    """Everything about a verdict that the exchange knows; the ledger adds what only the worker can (see Stamp)."""

    phase: Point
    outcome: Outcome
    mode: Mode
    status: int | None
    reasons: tuple[str, ...]
    request: RequestFacts
    response: ResponseFacts | None = None
    mutations: tuple[MutationFact, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    waives: frozenset[Direction] = frozenset()
    policy: PolicyFacts | None = None
    duration_us: int = 0
    parent_receipt: str | None = None
    trace: TraceContext | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: the service's name, this instance, the software's version and the key's RFC 7638 thumbprint."""

    service: str
    instance: str
    version: str
    kid: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the worker adds: ids, time and the place in its log.

    `issued_at` is RFC 3339 in UTC with `Z`; `trace_id` and `span_id` are the ids of the span that will carry the
    receipt; `origin` names the log, `seq` counts from 0 without a gap, `prev` is the SHA-256 of the previous payload in
    hexadecimal ("" at first).
    """

    receipt_id: str
    issued_at: str
    issuer: Issuer
    trace_id: str
    span_id: str
    origin: str
    seq: int
    prev: str


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt that is signed and in the log: the only thing that lets an allow leave (architecture, invariant 3)."""

    receipt_id: str
    payload: bytes
    signature: bytes


Pseudonym = Callable[[str], str]
"""Turns a name that could identify a person into a keyed digest."""
