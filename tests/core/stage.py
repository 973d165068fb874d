"""An exchange driven as extproc.server.service drives it, with an engine and a log that do what a test tells them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from core.bodies import no_effort

from extproc.core.answer import Denial, Evidence, Unrecorded, Verdict
from extproc.core.budget import MemoryBudget
from extproc.core.engine import Evaluation, PolicyIdentity, Question
from extproc.core.events import JSON, Body, Direction, Event, Headers, Reply, Trailers
from extproc.core.exchange import Exchange, Step
from extproc.core.headers import HeaderMap, HeaderMutation
from extproc.core.point import Point
from extproc.core.receipt import Claims, SignedReceipt
from extproc.core.rules import Rules
from extproc.core.trace import TraceContext
from extproc.errors import EvidenceUnwritable, ExchangeError

REQUEST, RESPONSE = Direction.REQUEST, Direction.RESPONSE
AT_HEADERS, AT_REQUEST, AT_RESPONSE = Point
POLICY = PolicyIdentity("embedded", "1.21.3", "r7", "d1", "d2")
TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)
GET = ((":method", b"GET"), (":path", b"/a"), (":authority", b"shop.example"), (":scheme", b"https"))
POST = ((":method", b"POST"), *GET[1:])
JSON_TYPE = ("content-type", b"application/json")
EVENT_STREAM = ("content-type", b"text/event-stream")
SAID = "via_upstream"


def request_headers(*pairs: tuple[str, bytes], end: bool = False, attributes: dict[str, JSON] | None = None) -> Headers:
    """A request's headers: a POST whose body follows, or where they are the end a GET."""
    return Headers(REQUEST, HeaderMap((*(GET if end else POST), *pairs)), end, attributes or {})


def response_headers(
    *pairs: tuple[str, bytes], end: bool = False, details: JSON = SAID, status: bytes = b"200"
) -> Headers:
    """A response's headers; `details` says who made it."""
    headers = HeaderMap(((":status", status), *pairs))
    return Headers(RESPONSE, headers, end, {"response.code_details": details})


def too_large() -> Headers:
    """Envoy's own answer to a request that outgrew its buffer."""
    return response_headers(details="request_payload_too_large")


def request_body(data: bytes, *, end: bool = True) -> Body:
    return Body(REQUEST, data, end)


def response_body(data: bytes, *, end: bool = True) -> Body:
    return Body(RESPONSE, data, end)


def request_trailers(*pairs: tuple[str, bytes]) -> Trailers:
    return Trailers(REQUEST, HeaderMap(pairs))


def response_trailers(*pairs: tuple[str, bytes]) -> Trailers:
    return Trailers(RESPONSE, HeaderMap(pairs))


def says(result: bytes | None) -> Callable[[Question], Evaluation]:
    """An engine that always answers the same."""
    return lambda _: Evaluation(result, POLICY, 40, "d-1")


def raises(error: ExchangeError) -> Callable[[Question], Evaluation]:
    """An engine that fails."""

    def decide(_: Question) -> Evaluation:
        raise error

    return decide


def receipt(number: int) -> SignedReceipt:
    """The receipt that the stage's log gives for its `number`-th claims, from 0."""
    return SignedReceipt(f"receipt-{number}", b"", b"")


def ids(number: int, verdict: bytes = b"allow", *, policy: bool = True) -> HeaderMutation:
    """What a reply names of receipt `number`."""
    pairs = (("x-extproc-receipt-id", receipt(number).receipt_id.encode()), ("x-extproc-verdict", verdict))
    return HeaderMutation(set=(*pairs, ("x-extproc-policy-hash", b"d1")) if policy else pairs)


def _writable(_: Claims) -> bool:
    return True


@dataclass
class Stage:
    """`log` are the claims that were recorded, `asked` the questions, `replies` what was sent."""

    rules: Rules = field(default_factory=Rules)
    engine: Callable[[Question], Evaluation] = field(default_factory=lambda: says(b"true"))
    writable: Callable[[Claims], bool] = _writable
    allow_unrecorded: bool = False
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(1 << 20))
    trace: TraceContext = TRACE
    log: list[Claims] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.rules, self.budget, no_effort, self.trace)

    def play(self, *events: Event) -> "Stage":
        """Send messages as long as there is an exchange, as Envoy would."""
        for event in events:
            if not self.exchange.denied:
                self.replies.append(self.reply(event))
        return self

    def reply(self, event: Event) -> Reply:
        step: Step
        try:
            step = self.exchange.receive(event)
        except ExchangeError as error:
            step = self.exchange.fail(error)
        while not isinstance(step, Reply):
            step = self._settle(step if isinstance(step, Verdict) else self._ask(step))
        return step

    def refused(self, error: ExchangeError) -> "Stage":
        """A message that was none: the codec has raised."""
        self.replies.append(self._settle(self.exchange.fail(error)))
        return self

    def close(self) -> Claims | None:
        claims = self.exchange.close()
        if claims is not None and self.writable(claims):
            self.log.append(claims)
        return claims

    def _ask(self, question: Question) -> Verdict:
        self.asked.append(question)
        try:
            return self.exchange.resolve(question, self.engine(question))
        except ExchangeError as error:
            return self.exchange.fail(error)

    def _settle(self, verdict: Verdict) -> Step:
        try:
            evidence = self._record(verdict.claims)
        except EvidenceUnwritable as error:
            if isinstance(verdict.effect, Denial) or self.allow_unrecorded:
                return self.exchange.answer(verdict, Unrecorded())
            return self.exchange.answer(self.exchange.fail(error), Unrecorded())
        return self.exchange.answer(verdict, evidence)

    def _record(self, claims: Claims) -> Evidence:
        if not self.writable(claims):
            raise EvidenceUnwritable("the disk is full")
        self.log.append(claims)
        return receipt(len(self.log) - 1)


def outcomes(claims: Iterable[Claims]) -> list[tuple[str, str, tuple[str, ...]]]:
    """Phase, outcome and reasons of each."""
    return [(c.phase.value, c.outcome.value, c.reasons) for c in claims]
