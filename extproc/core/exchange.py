"""One HTTP exchange: Envoy's messages in; replies, questions and verdicts out.

    step = exchange.receive(event)
      Reply         -> send it
      Question      -> ask the engine, then exchange.resolve(question, evaluation) -> Verdict
      Verdict       -> record its claims, then step = exchange.answer(verdict, evidence)
    an ExchangeError on the way -> exchange.fail(error) -> Verdict
    the stream's end            -> exchange.close() -> Claims of a verdict that was still due, or None

Nothing here waits or knows the time; a count of CPU is handed in.  Who may speak when stands in extproc.core.state.
"""

from hashlib import sha256
from typing import TypeAlias, assert_never

from extproc.core.answer import Denial, Evidence, Passage, Turn, Verdict, reply_to
from extproc.core.budget import MemoryBudget
from extproc.core.case import STREAM_ENDED, Case
from extproc.core.coding.effort import CpuClock
from extproc.core.engine import Evaluation, Question
from extproc.core.events import Body, Continue, Direction, Event, Guard, Headers, Part, Reply, Signal, Trailers, Waiver
from extproc.core.half import Half, attribute
from extproc.core.headers import NO_HEADERS, NO_MUTATION
from extproc.core.input import ShownRequest, document, show_request
from extproc.core.inspection import VISIBLE, State
from extproc.core.intake import Intake, endless_state
from extproc.core.passage import JUDGED, TOO_LARGE, forged_names, passage_of, response_unjudged
from extproc.core.point import Point
from extproc.core.receipt import Claims, Outcome, PolicyFacts, SignedReceipt
from extproc.core.rules import Mode, Rules
from extproc.core.state import TABLE, Action, Message, Phase, message_of
from extproc.core.trace import TraceContext, parse_traceparent
from extproc.errors import ExchangeError, ProtocolError

Step: TypeAlias = Reply | Question | Verdict

_NO_HEAD = Headers(Direction.REQUEST, NO_HEADERS, end_of_stream=False)
_PARTS = {Headers: Part.HEADERS, Body: Part.BODY, Trailers: Part.TRAILERS}
_TURNS = {(way, kind): Turn(way, part) for way in Direction for kind, part in _PARTS.items()}


class Exchange:
    """The state of one ext_proc stream.

    `trace` is the context of the call itself, Envoy's own span; where it has no parent, the client's takes its place.
    `due`: a half has begun to come, and its verdict is not given yet.
    """

    def __init__(self, rules: Rules, budget: MemoryBudget, cpu_ns: CpuClock, trace: TraceContext) -> None:
        self._rules = rules
        self._trace = trace
        self._phase = self._following = Phase.START
        self._point = Point.REQUEST
        self.due = False
        self._turn = Turn(Direction.REQUEST, Part.HEADERS)
        self._passage = Passage()
        self._intakes = {way: Intake(way, rules.limits(way), budget, cpu_ns) for way in Direction}
        self._waived: frozenset[Direction] = frozenset()
        self._head = _NO_HEAD
        self._shown: ShownRequest | None = None
        self._later = NO_MUTATION
        self._receipt_id: str | None = None
        self.denied = False

    def receive(self, event: Event) -> Step:
        """Take Envoy's next message.

        Raises ProtocolError where the table does not permit it (nothing has changed then), Overloaded where the budget
        does not hold its bytes.
        """
        action = self._move(event)
        self._turn = _TURNS[event.direction, type(event)]
        self._passage = passage_of(event, action, self._rules, waived=self._waived, later=self._later)
        match action:
            case Action.HOLD | Action.DECIDE:
                self._keep(event)
                if isinstance(event, Headers) and event.direction is Direction.REQUEST and self._asks_headers:
                    return self._announce(event)
                return self._hold() if action is Action.HOLD else self._decide(event)
            case Action.REFUSE:
                return self._refuse()
            case Action.ABANDON:
                return self._case().abandoned()
            case Action.PASS:
                return self._pass()
        assert_never(action)

    def resolve(self, question: Question, evaluation: Evaluation) -> Verdict:
        """The verdict that the engine's answer amounts to; an answer that is no decision is an error's verdict."""
        policy = PolicyFacts(
            entrypoint=self._rules.entrypoints[question.point] or "",
            identity=evaluation.policy,
            decision_id=evaluation.decision_id,
            input_digest=sha256(question.input).hexdigest(),
            result_digest=sha256(evaluation.result or b"").hexdigest(),
        )
        return self._case(policy, evaluation.duration_us).by_result(evaluation.result)

    def fail(self, error: ExchangeError) -> Verdict:
        """The verdict on an exchange that cannot be decided."""
        return self._case().by_error(error)

    def answer(self, verdict: Verdict, evidence: Evidence) -> Step:
        """What follows from the verdict: its reply, or, after the headers point, what the request's headers lead to.

        The evidence in hand is what lets an allow leave.
        """
        if isinstance(evidence, SignedReceipt):
            self._receipt_id = evidence.receipt_id
        effect = verdict.effect
        if self._point is Point.HEADERS and not isinstance(effect, Denial):
            return self._go_on(verdict.waives)
        self.due, self._point = False, Point.RESPONSE
        if isinstance(effect, Denial):
            self.denied, self._phase = True, Phase.ENDED
        else:
            self._later = effect.later
            self._phase = self._phase_after(effect)
        if self._phase is not Phase.RESPONSE or response_unjudged(self._rules, self._waived):
            self._forget()
        else:
            self._intakes[Direction.REQUEST].keep_shown(compatibility_bodies=self._rules.compatibility_bodies)
        return reply_to(verdict, evidence, blocking=self._rules.blocking, prefix=self._rules.prefix)

    def close(self) -> Claims | None:
        """The stream has ended: free the bodies, and say what a verdict that was still due has come to."""
        claims = None
        if self.due:
            reason = State.NOT_SENT.value if self._point is Point.RESPONSE else STREAM_ENDED
            claims = self._case().claims(Outcome.ERROR, (reason,))
        self.due, self._phase = False, Phase.ENDED
        self._forget()
        return claims

    # ------------------------------------------------------------ one message

    @property
    def _asks_headers(self) -> bool:
        return self._rules.entrypoints.get(Point.HEADERS) is not None and self._rules.mode is not Mode.OFF

    def _move(self, event: Event) -> Action:
        message = self._message(event)
        move = TABLE.get((self._phase, message))
        if move is None:
            raise ProtocolError(f"{message} while {self._phase} is due")
        action, self._following = move
        return action

    def _message(self, event: Event) -> Message:
        if not isinstance(event, Headers):
            return message_of(event)
        unseen = endless_state(event) is not None or event.direction in self._waived
        if event.direction is Direction.REQUEST:
            return message_of(event, ends=unseen)
        details = attribute(event, "response.code_details")
        unwanted = self._phase is Phase.RESPONSE and response_unjudged(self._rules, self._waived)
        unjudged = unwanted or details not in JUDGED
        return message_of(event, ends=unseen, local_reply=unjudged, too_large=details == TOO_LARGE)

    def _keep(self, event: Event) -> None:
        self._intakes[event.direction].keep(event, forged_names(event, self._rules.prefix))
        if not isinstance(event, Headers):
            return
        self.due = True
        if event.direction is Direction.REQUEST and not self._trace.parent_span_id:
            self._trace = parse_traceparent(event.headers.text("traceparent")) or self._trace

    # ------------------------------------------------------------ the headers point

    def _announce(self, head: Headers) -> Question:
        self._head, self._point = head, Point.HEADERS
        return self._question(self._intakes[Direction.REQUEST].announced(), None)

    def _go_on(self, waives: frozenset[Direction]) -> Step:
        """The headers may pass: hold them until the body has come, or decide the request at once."""
        self._waived, self._point = waives, Point.REQUEST
        action = self._move(self._head)
        self._passage = passage_of(self._head, action, self._rules, waived=self._waived, later=self._later)
        return self._hold() if action is Action.HOLD else self._decide(self._head)

    def _hold(self) -> Continue:
        self._phase = self._following
        mutation, turn = self._passage.mutation, self._turn
        if turn.direction is Direction.RESPONSE:
            mutation = mutation.setting(*self._id_so_far())
        return Continue(turn.direction, turn.part, mutation)

    def _pass(self) -> Continue:
        self._phase = self._following
        turn, passage = self._turn, self._passage
        if turn.part is not Part.HEADERS:
            return Continue(turn.direction, turn.part, passage.mutation)
        self._forget()  # no verdict is due any more
        stated = passage.mutation.setting(*self._id_so_far(), (self._rules.prefix + "verdict", b"none"))
        return Continue(turn.direction, turn.part, stated, Signal(response=Guard.WAIVED), passage.waiver)

    def _id_so_far(self) -> tuple[tuple[str, bytes], ...]:
        return () if self._receipt_id is None else ((self._rules.prefix + "receipt-id", self._receipt_id.encode()),)

    # ------------------------------------------------------------ one decision point

    def _decide(self, event: Event) -> Question | Verdict:
        way = event.direction
        intake = self._intakes[way]
        inspection = intake.waive() if way in self._waived else intake.inspect(event)
        if self._rules.mode is Mode.OFF:
            return self._case().off()
        if inspection.state not in VISIBLE and way not in self._waived:
            answer = self._rules.states[way].get(inspection.state, self._rules.blocking.status)
            if answer != "evaluate":
                return self._case().by_state(inspection.state, answer)
        request = self._intakes[Direction.REQUEST].half()
        return self._question(request, intake.half() if way is Direction.RESPONSE else None)

    def _question(self, request: Half, response: Half | None) -> Question:
        shown = self._shown or show_request(request.head)
        self._shown = shown if shown.kept else None
        bodies = self._rules.compatibility_bodies
        return Question(self._point, document(self._point, shown, request, response, compatibility_bodies=bodies))

    def _refuse(self) -> Verdict:
        self._intakes[Direction.REQUEST].refuse()
        answer = self._rules.states[Direction.REQUEST].get(State.OVER_LIMIT, self._rules.blocking.status)
        return self._case().by_state(State.OVER_LIMIT, 413 if answer == "evaluate" else answer)

    def _case(self, policy: PolicyFacts | None = None, duration_us: int = 0) -> Case:
        request, response = self._intakes[Direction.REQUEST], self._intakes[Direction.RESPONSE]
        return Case(
            rules=self._rules,
            point=self._point,
            turn=self._turn,
            passage=self._passage,
            request=request.announced() if self._point is Point.HEADERS else request.half(),
            response=response.half() if response.begun else None,
            trace=self._trace,
            parent_receipt=self._receipt_id,
            policy=policy,
            duration_us=duration_us,
        )

    # ------------------------------------------------------------ after a verdict

    def _phase_after(self, passage: Passage) -> Phase:
        """A verdict before its half was whole (shadow mode) lets the rest pass: there is nothing left to decide."""
        unfinished = self._following in (Phase.REQUEST_BODY, Phase.RESPONSE_BODY)
        return Phase.PASSING if passage.waiver is Waiver.BOTH or unfinished else self._following

    def _forget(self) -> None:
        for intake in self._intakes.values():
            intake.forget()
