"""The one loop: a message in, its verdict recorded, its reply out."""

import logging
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Protocol

from extproc.core.answer import Denial, Evidence, Unrecorded, Verdict
from extproc.core.budget import MemoryBudget
from extproc.core.coding.effort import CpuClock
from extproc.core.engine import Evaluation, PolicyEngine, Question
from extproc.core.events import Reply
from extproc.core.exchange import Exchange, Step
from extproc.core.receipt import Claims, SignedReceipt
from extproc.core.rules import Rules
from extproc.core.trace import TraceContext, parse_traceparent
from extproc.errors import EngineTimeout, EvidenceUnwritable, ExchangeError
from extproc.server.alarms import Alarms
from extproc.server.codec import decode, encode
from extproc.server.waiting import BODY_S, Waiting
from extproc.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)
GRACE_S = 0.25
"""How long an engine may overrun its own deadline before we stop waiting: some built-ins do not look at the clock."""


class Stream(Protocol):
    """What the driver hands over for one exchange."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """The call's own metadata."""
        ...

    async def read(self) -> bytes | None:
        """The next message, None at the end."""
        ...

    async def write(self, message: bytes) -> None:
        """Answer it."""
        ...


class Recorder(Protocol):
    """The ledger: signs claims and writes them down."""

    def record(self, claims: Claims) -> SignedReceipt:
        """The receipt, in the log.  Raises EvidenceUnwritable."""
        ...


class Service:
    """Serves streams, `in_flight` of them now.  One object per worker; everything it is made of is handed in."""

    def __init__(  # noqa: PLR0913 - the parts of a worker, by keyword
        self,
        *,
        rules: Rules,
        engine: PolicyEngine,
        ledger: Recorder,
        budget: MemoryBudget,
        cpu_ns: CpuClock,
        metrics: Metrics,
        new_trace_id: Callable[[], str],
        deadline_s: float,
        allow_unrecorded: bool,
        body_s: float = BODY_S,
    ) -> None:
        self._rules = rules
        self._engine = engine
        self._ledger = ledger
        self._budget = budget
        self._cpu_ns = cpu_ns
        self._metrics = metrics
        self._new_trace_id = new_trace_id
        self._deadline_s = deadline_s
        self._allow_unrecorded = allow_unrecorded
        self._alarms = Alarms()
        self._waiting = Waiting(alarms=self._alarms, metrics=metrics, limit_s=body_s)
        self.in_flight = 0

    async def serve(self, stream: Stream) -> bool:
        """One exchange, to its end; True when an ImmediateResponse ended it."""
        called_in = parse_traceparent(stream.metadata.get("traceparent", ""))
        trace = called_in or TraceContext(self._new_trace_id(), "", sampled=False)
        exchange = Exchange(self._rules, self._budget, self._cpu_ns, trace)
        self.in_flight += 1
        try:
            while not exchange.denied and (reply := await self._reply(stream, exchange)) is not None:
                await stream.write(encode(reply))
        finally:
            self._close(exchange)
            self.in_flight -= 1
        return exchange.denied

    def make_room(self) -> bool:
        """End an exchange that only awaits a body, so that another has its place; False where there is none."""
        return self._waiting.give_up_longest()

    async def _next(self, stream: Stream, exchange: Exchange) -> bytes | None:
        """The next message.  None too where a body is late: the stream is not at its end, and the driver aborts it."""
        return await (self._waiting.wait(stream.read) if exchange.due else stream.read())

    async def _reply(self, stream: Stream, exchange: Exchange) -> Reply | None:
        """What the next message is answered.  None where there is none.

        Its body is then the exchange's, which counts it; so the message is let go before others are awaited.
        """
        message = await self._next(stream, exchange)
        if message is None:
            return None
        due = monotonic() + self._deadline_s
        step = self._received(exchange, message)
        del message
        while not isinstance(step, Reply):
            verdict = step if isinstance(step, Verdict) else await self._judge(exchange, step, due)
            step = self._settle(exchange, verdict)
        return step

    def _received(self, exchange: Exchange, message: bytes) -> Step:
        try:
            return exchange.receive(decode(message))
        except ExchangeError as error:
            return exchange.fail(error)

    async def _judge(self, exchange: Exchange, question: Question, due: float) -> Verdict:
        try:
            return exchange.resolve(question, await self._ask(question, due))
        except ExchangeError as error:
            return exchange.fail(error)

    async def _ask(self, question: Question, due: float) -> Evaluation:
        try:
            return await self._alarms.by(due + GRACE_S, self._engine.decide(question, due - monotonic()))
        except TimeoutError:
            raise EngineTimeout("the engine overran its deadline") from None

    def _settle(self, exchange: Exchange, verdict: Verdict) -> Step:
        """Record, then answer: an allow leaves with its receipt or not at all."""
        if (error := verdict.error) is not None:
            _LOG.warning("an exchange cannot be decided", extra={"code": error.code, "reason": str(error)})
            self._metrics.engine_errors.labels(error.code).inc()
        if verdict.odd_status is not None:
            _LOG.warning("a policy asked for a status outside 400-499", extra={"status": verdict.odd_status})
        evidence: Evidence = Unrecorded()
        try:
            evidence = self._ledger.record(verdict.claims)
        except EvidenceUnwritable as unwritable:
            self._lost(unwritable)
            if not (isinstance(verdict.effect, Denial) or self._allow_unrecorded):
                verdict = exchange.fail(unwritable)
        else:
            self._metrics.receipts_written.inc()
        self._metrics.decided(verdict.claims)
        return exchange.answer(verdict, evidence)

    def _close(self, exchange: Exchange) -> None:
        """Without an await: this also runs while the task is being cancelled."""
        claims = exchange.close()
        if claims is None:
            return
        self._metrics.decided(claims)
        try:
            self._ledger.record(claims)
            self._metrics.receipts_written.inc()
        except EvidenceUnwritable as error:
            self._lost(error)

    def _lost(self, error: EvidenceUnwritable) -> None:
        """With `on_failure: allow` nothing else shows it."""
        _LOG.error("a receipt is lost", extra={"code": error.code, "reason": str(error)})
        self._metrics.engine_errors.labels(error.code).inc()
