"""From a verdict and its receipt to the reply: ids, guard signals, the denial's body and status (docs/wire.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias

import orjson

from extproc.core.events import JSON, Continue, Direction, Guard, ImmediateResponse, Part, Reply, Signal, Waiver
from extproc.core.headers import NO_MUTATION, HeaderMutation
from extproc.core.receipt import Claims, SignedReceipt
from extproc.core.rules import Blocking
from extproc.errors import ExchangeError

GRPC_STATUS = {401: 16, 403: 7, 413: 8, 429: 8, 503: 14}
"""Status of a denial -> grpc-status (google.rpc.Code); any other one is INVALID_ARGUMENT, 3."""
_INVALID_ARGUMENT = 3


@dataclass(frozen=True, slots=True)
class Denial:
    """The exchange ends here.  `code` is one word for the client, `ImmediateResponse.details` and the metrics."""

    status: int
    message: str
    code: str
    headers: HeaderMutation = NO_MUTATION
    grpc: bool = False


@dataclass(frozen=True, slots=True)
class Passage:
    """The exchange goes on.

    `response` is what the response guard may find already now: WAIVED where nobody will judge the response.
    `waiver` tells Envoy not to buffer what nobody will inspect (wire.md, mode_override).
    `later` is what the request's verdict wants done to the response's headers, when they come.
    """

    mutation: HeaderMutation = NO_MUTATION
    later: HeaderMutation = NO_MUTATION
    response: Guard | None = None
    waiver: Waiver | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """The message of Envoy's that waits for its one reply."""

    direction: Direction
    part: Part


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, to be recorded before its reply leaves.

    `metadata` is the policy's word to other filters; `odd_status` a status that it asked for and that cannot be given;
    `error` what kept a decision from being reached.  `waives`, of the headers point: the bodies that may pass unseen.
    """

    claims: Claims
    turn: Turn
    effect: Denial | Passage
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    odd_status: int | None = None
    error: ExchangeError | None = None
    waives: frozenset[Direction] = frozenset()


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Stands where no receipt could be written: for a denial, or where the operator chose `on_failure: allow`."""


Evidence: TypeAlias = SignedReceipt | Unrecorded


def reply_to(verdict: Verdict, evidence: Evidence, *, blocking: Blocking, prefix: str) -> Reply:
    """The reply that carries the verdict and its receipt's id."""
    ids = _ids(verdict, evidence, prefix)
    effect = verdict.effect
    if isinstance(effect, Denial):
        return _immediate_response(effect, verdict, evidence, ids=ids, blocking=blocking)
    return Continue(
        direction=verdict.turn.direction,
        part=verdict.turn.part,
        mutation=effect.mutation.setting(*ids),
        signal=_signal(verdict, effect),
        waiver=effect.waiver,
    )


def _ids(verdict: Verdict, evidence: Evidence, prefix: str) -> Iterator[tuple[str, bytes]]:
    claims = verdict.claims
    if isinstance(evidence, SignedReceipt):
        yield prefix + "receipt-id", evidence.receipt_id.encode()
    # A local reply passes without a verdict of its own: the claims are about the request that it cut short.
    passes_unjudged = isinstance(verdict.effect, Passage) and claims.phase.direction is not verdict.turn.direction
    yield prefix + "verdict", b"none" if passes_unjudged else claims.outcome.encode()
    if claims.policy is not None:
        yield prefix + "policy-hash", claims.policy.identity.policy_digest.encode()


def _signal(verdict: Verdict, passage: Passage) -> Signal:
    if verdict.turn.direction is Direction.REQUEST:
        return Signal(request=Guard.ALLOW, response=passage.response, policy=verdict.metadata)
    return Signal(response=passage.response or Guard.ALLOW, policy=verdict.metadata)


def _immediate_response(
    denial: Denial, verdict: Verdict, evidence: Evidence, *, ids: Iterator[tuple[str, bytes]], blocking: Blocking
) -> ImmediateResponse:
    content_type, body = _content(denial, evidence, blocking)
    own = HeaderMutation(set=(("content-type", content_type), ("cache-control", b"no-store")))
    at_request = verdict.claims.phase.direction is Direction.REQUEST
    if at_request:
        signal = Signal(request=Guard.DENY, policy=verdict.metadata)
    else:
        signal = Signal(response=Guard.DENY, policy=verdict.metadata)
    return ImmediateResponse(
        status=denial.status,
        mutation=(own + denial.headers).setting(*ids),
        body=body,
        details=denial.code,
        signal=signal,
        grpc_status=GRPC_STATUS.get(denial.status, _INVALID_ARGUMENT) if denial.grpc else None,
    )


def _content(denial: Denial, evidence: Evidence, blocking: Blocking) -> tuple[bytes, bytes]:
    """The body and its type: text for gRPC (Envoy makes it `grpc-message`) and by configuration, else RFC 9457."""
    if denial.grpc or blocking.format == "text":
        return b"text/plain; charset=utf-8", denial.message.encode()
    problem = {
        "type": "about:blank",
        "title": _title(denial.status),
        "status": denial.status,
        "detail": denial.message,
        "code": denial.code,
    }
    if isinstance(evidence, SignedReceipt):
        problem["receipt_id"] = evidence.receipt_id
    return b"application/problem+json", orjson.dumps(problem)


def _title(status: int) -> str:
    """The status phrase (RFC 9457, `about:blank`), or the class of a status that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Error"
