"""One decision point of one exchange, whole: what a verdict is built from, whoever reaches it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from extproc.core.answer import Denial, Passage, Turn, Verdict
from extproc.core.decision import Decision, parse_decision
from extproc.core.events import Part
from extproc.core.half import Half, request_facts, response_facts
from extproc.core.headers import NO_MUTATION, HeaderMutation
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.query import rewritten
from extproc.core.receipt import Claims, MutationFact, Outcome, PolicyFacts
from extproc.core.rules import Mode, Rules
from extproc.core.trace import TraceContext
from extproc.errors import Answer, EvidenceUnwritable, ExchangeError, MutationRefused, ProtocolError

LOCAL_REPLY = "local_reply"
POLICY_OFF = "policy_off"
STREAM_ENDED = "stream_ended"
POLICY_DENY = "policy_deny"
"""Reasons of our own that no error class and no inspection state names."""

_ALWAYS_ENFORCED = (ProtocolError, EvidenceUnwritable)
"""Our own outage blocks in shadow mode too: without a legal message or without evidence there is no way on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything known when a verdict is due.  `passage` is what the reply carries where the exchange goes on.

    `policy` and `duration_us` are of the evaluation, where there was one.
    """

    rules: Rules
    point: Point
    turn: Turn
    passage: Passage
    request: Half
    trace: TraceContext
    response: Half | None = None
    parent_receipt: str | None = None
    policy: PolicyFacts | None = None
    duration_us: int = 0

    def by_result(self, result: bytes | None) -> Verdict:
        """The policy's verdict, or the error that its answer amounts to."""
        try:
            decision = parse_decision(result, self.point, self.rules)
            return self._allow(decision) if decision.allowed else self._deny(decision)
        except ExchangeError as error:
            return self.by_error(error)

    def by_state(self, state: State, status: int) -> Verdict:
        """A body that the policy cannot see is denied by the name of its state."""
        message = f"The {self.point} body cannot be inspected: {state}"
        return self._refuse(Outcome.DENY, Denial(status, message, state.value, grpc=self._grpc))

    def by_error(self, error: ExchangeError) -> Verdict:
        """No decision was reached.  The client learns the error's word, not its message."""
        status = self.rules.blocking.status_of(error.answer)
        blocking = error.answer is Answer.BLOCKING
        outcome = Outcome.DENY if blocking else Outcome.ERROR
        message = self.rules.blocking.message if blocking else "The request could not be decided"
        denial = Denial(status, message, error.code, grpc=self._grpc)
        return replace(self._refuse(outcome, denial, always=isinstance(error, _ALWAYS_ENFORCED)), error=error)

    def off(self) -> Verdict:
        """`policy.mode: off`: nobody is asked, and the receipt says so."""
        return Verdict(self.claims(Outcome.ALLOW, (POLICY_OFF,)), self.turn, self.passage)

    def abandoned(self) -> Verdict:
        """Envoy answered while the request's verdict was due: its reply passes, the evidence says what happened."""
        return Verdict(self.claims(Outcome.ERROR, (LOCAL_REPLY,)), self.turn, self.passage)

    def claims(
        self,
        outcome: Outcome,
        reasons: tuple[str, ...],
        *,
        status: int | None = None,
        labels: Mapping[str, str] | None = None,
        mutations: tuple[MutationFact, ...] = (),
    ) -> Claims:
        """What a receipt states about this case."""
        return Claims(
            phase=self.point,
            outcome=outcome,
            mode=self.rules.mode,
            status=status,
            reasons=reasons,
            request=request_facts(self.request),
            response=None if self.response is None else response_facts(self.response),
            mutations=mutations,
            labels=labels or {},
            policy=self.policy,
            duration_us=self.duration_us,
            parent_receipt=self.parent_receipt,
            trace=self.trace,
        )

    def _allow(self, decision: Decision) -> Verdict:
        shadow = self.rules.mode is Mode.SHADOW  # whoever only looks on changes nothing
        passage = self.passage if shadow else self._changed(decision)
        made = () if shadow else tuple(_facts(decision, later=self.point is Point.REQUEST))
        claims = self.claims(Outcome.ALLOW, decision.reasons, labels=decision.labels, mutations=made)
        return Verdict(
            replace(claims, waives=decision.waives) if decision.waives else claims,
            self.turn,
            passage,
            metadata={} if shadow else decision.metadata,
            waives=decision.waives,
        )

    def _deny(self, decision: Decision) -> Verdict:
        reasons = decision.reasons or (POLICY_DENY,)
        effect = self._effect(Denial(decision.status, decision.message, reasons[0], decision.response, grpc=self._grpc))
        enforced = isinstance(effect, Denial)
        made = tuple(_facts(decision, later=False)) if enforced else ()
        claims = self.claims(Outcome.DENY, reasons, status=decision.status, labels=decision.labels, mutations=made)
        metadata = decision.metadata if enforced else {}
        return Verdict(claims, self.turn, effect, metadata=metadata, odd_status=decision.odd_status)

    def _refuse(self, outcome: Outcome, denial: Denial, *, always: bool = False) -> Verdict:
        claims = self.claims(outcome, (denial.code,), status=denial.status)
        return Verdict(claims, self.turn, denial if always else self._effect(denial))

    def _effect(self, denial: Denial) -> Denial | Passage:
        """A denial, or the passage beside a verdict that would have denied in enforce mode."""
        return denial if self.rules.mode is Mode.ENFORCE else self.passage

    @property
    def _grpc(self) -> bool:
        return self.request.head.headers.text("content-type").lower().startswith("application/grpc")

    def _changed(self, decision: Decision) -> Passage:
        """The passage with what the policy asks for."""
        if self.point is Point.RESPONSE:
            mutation, later = decision.response, NO_MUTATION
        else:
            mutation, later = decision.request + self._query_change(decision), decision.response
        if self.turn.part is Part.TRAILERS and mutation:
            raise MutationRefused("headers cannot be changed any more once trailers have come")
        passage = self.passage
        if not (mutation or later):
            return passage
        return Passage(passage.mutation + mutation, later, passage.response, waiver=passage.waiver)

    def _query_change(self, decision: Decision) -> HeaderMutation:
        if not decision.query:
            return NO_MUTATION
        path = rewritten(self.request.head.headers.first(":path") or b"", decision.query)
        return HeaderMutation(set=((":path", path),))


def _facts(decision: Decision, *, later: bool) -> Iterator[MutationFact]:
    """What the policy changes; `later`: its changes of the response wait for the response, and may never be made."""
    for mutation, when in ((decision.request, ""), (decision.response, "_later" if later else "")):
        for op, fields in (("set", mutation.set), ("append", mutation.append)):
            for name, value in fields:
                yield MutationFact(op + when, name, hashlib.sha256(value).hexdigest())
        for name in mutation.remove:
            yield MutationFact("remove", name, "")
    for name, values in decision.query.set:
        yield MutationFact("set_query", name, hashlib.sha256("\n".join(values).encode()).hexdigest())
    for name in decision.query.remove:
        yield MutationFact("remove_query", name, "")
