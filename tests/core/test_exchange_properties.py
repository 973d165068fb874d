"""Whatever Envoy sends and whatever policy and log do: the invariants of docs/exchange.md hold."""

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from core.stage import (
    AT_HEADERS,
    AT_REQUEST,
    AT_RESPONSE,
    JSON_TYPE,
    REQUEST,
    RESPONSE,
    Stage,
    request_body,
    request_headers,
    says,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.core.body import MemoryBudget
from extproc.core.engine import Evaluation, Question
from extproc.core.events import Body, Continue, Direction, Event, Guard, Headers, ImmediateResponse, Trailers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims
from extproc.core.rules import Limits, Mode, Rules, StateAnswer
from extproc.core.state import Phase
from extproc.errors import EngineError, EngineTimeout, Overloaded, ProtocolError

BUDGET_BYTES = 64
LIMITS = Limits(body_bytes=32, depth=8, fields=8)

# ---------------------------------------------------------------- one body, however it is cut


@given(st.binary(max_size=40) | st.sampled_from([b'{"a": [1, 2.50]}', b"a=1&b=2", b"[1"]), st.lists(st.integers(0, 40)))
def test_any_split_of_a_body_gives_the_same_input_digest_and_verdict(body: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(edges)] or [b""]
    rules = Rules(request=LIMITS)
    whole = Stage(rules).play(request_headers(JSON_TYPE), request_body(body))
    split = Stage(rules).play(
        request_headers(JSON_TYPE),
        *(request_body(piece, end=False) for piece in pieces[:-1]),
        request_body(pieces[-1]),
    )
    assert (split.asked, split.log, split.replies[-1]) == (whole.asked, whole.log, whole.replies[-1])
    assert split.log[0].request.body_digest == (sha256(body).hexdigest() if len(body) <= LIMITS.body_bytes else "")


# ---------------------------------------------------------------- any messages at all

_NAMES = [":method", ":path", ":authority", ":status", "content-type", "content-length", "content-encoding", "upgrade"]
_NAMES += ["connection", "cookie", "traceparent", "x-extproc-verdict", "x-extproc-team", "x_extproc_team", "host", ""]
_VALUES = [b"CONNECT", b"upgrade", b"websocket", b"200", b"206", b"9" * 5000, b"application/json", b"text/event-stream"]
_VALUES += [b"text/plain", b"multipart/byteranges", b"gzip", b"0", b"5", b"/a?b=%zz#c", b"\xff\xfe", b"\xc3\xa9", b""]
_headers = st.lists(
    st.tuples(st.sampled_from(_NAMES) | st.text(max_size=4), st.sampled_from(_VALUES) | st.binary(max_size=6)),
    max_size=6,
).map(lambda pairs: HeaderMap(tuple(pairs)))
_details = st.sampled_from(
    ["via_upstream", "direct_response", "request_payload_too_large", "rbac_denied", "", None, 7, [], {}]
)
_directions = st.sampled_from(Direction)
_heads = st.builds(
    lambda direction, headers, end, details: Headers(
        direction, headers, end, {} if direction is REQUEST else {"response.code_details": details}
    ),
    _directions,
    _headers,
    st.booleans(),
    _details,
)
_bodies = st.builds(
    Body, _directions, st.binary(max_size=20) | st.just(b'{"a": 1}') | st.just(b"x" * 70), st.booleans()
)
_EVENTS = _heads | _bodies | st.builds(Trailers, _directions, _headers)
_GARBAGE = ProtocolError("not a ProcessingRequest")
_JUST_ANYTHING = st.lists(_EVENTS | st.just(_GARBAGE), max_size=8)


@st.composite
def _nearly_legal(draw: st.DrawFn) -> list[Event | ProtocolError]:
    """A plausible order, so that the later phases are reached, and then perhaps one message that is out of it."""
    out: list[Event | ProtocolError] = []
    for direction in Direction:
        details = draw(_details | st.just("via_upstream"))
        attributes = {} if direction is REQUEST else {"response.code_details": details}
        end = draw(st.booleans())
        out.append(Headers(direction, draw(_headers), end, attributes))
        if not end:
            trailers = draw(st.booleans())
            pieces = [*draw(st.lists(st.binary(max_size=12), max_size=1)), b"end"]
            out += [Body(direction, data, end_of_stream=not trailers and data == b"end") for data in pieces]
            out += [Trailers(direction, draw(_headers))] if trailers else []
    if draw(st.booleans()):
        out.insert(draw(st.integers(0, len(out))), draw(_EVENTS | st.just(_GARBAGE)))
    return out


_RESULTS = [
    b"true",
    b"false",
    b'{"allowed":true}',
    b'{"allowed":false,"http_status":429}',
    None,
    b"",
    b"null",
    b"{",
    b"[]",
]
_RESULTS += [b'{"allowed":true,"headers":{"x-extproc-team":"a"},"response_headers_to_add":{"x-extproc-b":["c","d"]}}']
_RESULTS += [b'{"allowed":true,"headers":{"x-user":"a"}}', b'{"allowed":true,"query_parameters_to_set":{"a":"b"}}']
_RESULTS += [b'{"allowed":true,"dynamic_metadata":{"request":"allow"}}', b'{"allowed":1}', b'{"allowed":true,"odd":1}']
_RESULTS += [b'{"allowed":true,"inspect":{"%b_body":false}}' % way for way in (b"request", b"response")]
_RESULTS += [b'{"allowed":true,"inspect":{"request_body":false,"response_body":false}}'] * 2
_ERRORS = [EngineTimeout("late"), EngineError("broken"), Overloaded("full")]


@dataclass
class Fate:
    """What the engine and the log will do, one after the other."""

    results: list[bytes | EngineTimeout | EngineError | Overloaded | None]
    writes: list[bool]

    def decide(self, question: Question) -> Evaluation:
        result = self.results.pop() if self.results else b"true"
        if isinstance(result, Exception):
            raise result
        return says(result)(question)

    def writable(self, _: Claims) -> bool:
        return self.writes.pop() if self.writes else True


_fates = st.builds(
    Fate,
    st.lists(st.sampled_from(_RESULTS + _ERRORS), max_size=3),
    st.lists(st.sampled_from([True, True, True, False]), max_size=3),
)


def _rules(mode: Mode, *, waived: bool, evaluate: bool, headers: bool) -> Rules:
    """A configuration.

    Whether nobody judges responses, whether the policy is shown what cannot be seen whole, whether it is asked about
    the headers alone.
    """
    states: dict[State, StateAnswer] = dict.fromkeys(State, "evaluate")
    return Rules(
        mode=mode,
        request=LIMITS,
        response=LIMITS,
        entrypoints={AT_HEADERS: "a/h" if headers else None, AT_REQUEST: "a/b", AT_RESPONSE: None if waived else "a/c"},
        states={REQUEST: states, RESPONSE: states} if evaluate else Rules().states,
        compatibility_bodies=evaluate,
    )


_ruleses = st.builds(_rules, st.sampled_from(Mode), waived=st.booleans(), evaluate=st.booleans(), headers=st.booleans())


def _play(stage: Stage, events: list[Event | ProtocolError]) -> None:
    """Send everything, as the service does; a message that nothing permits must leave the exchange as it was."""
    for event in events:
        if stage.exchange.denied:
            return
        if isinstance(event, ProtocolError):
            stage.refused(event)
        else:
            stage.play(event)


@settings(max_examples=300)
@given(_ruleses, _JUST_ANYTHING | _nearly_legal(), _fates)
def test_whatever_happens_the_invariants_hold(rules: Rules, events: list[Event | ProtocolError], fate: Fate) -> None:
    budget = MemoryBudget(BUDGET_BYTES)
    stage = Stage(rules, fate.decide, fate.writable, budget=budget)
    _play(stage, events)
    _check_replies(stage)
    log_before_close = list(stage.log)
    stage.close()
    assert budget.current == 0
    _check_log(stage.log)
    if stage.exchange.denied:
        assert stage.log == log_before_close  # nothing is recorded after a denial
    assert not (rules.mode is Mode.OFF and stage.asked)


def _check_replies(stage: Stage) -> None:
    """An ImmediateResponse is the last; an allow has its receipt; shadow blocks only on our own outage."""
    *earlier, _ = stage.replies or [None]
    assert not any(isinstance(reply, ImmediateResponse) for reply in earlier)
    written = {f"receipt-{number}".encode(): claims for number, claims in enumerate(stage.log)}
    for reply in stage.replies:
        ids = dict(reply.mutation.set)
        if reply.signal.request is Guard.ALLOW or (
            isinstance(reply, Continue) and reply.signal.response is Guard.ALLOW
        ):
            claims = written[ids["x-extproc-receipt-id"]]
            assert claims.phase.value == ("request" if reply.signal.request is Guard.ALLOW else "response")
            assert claims.mode is not Mode.ENFORCE or claims.outcome.value == "allow"
        if isinstance(reply, ImmediateResponse) and stage.rules.mode is not Mode.ENFORCE:
            assert reply.details in {"protocol_error", "evidence_unwritable"}


def _check_log(log: list[Claims]) -> None:
    """At most one receipt for each point; a message out of order may add the one that ends the exchange."""
    broken = [claims for claims in log if claims.reasons == ("protocol_error",)]
    assert broken in ([], log[-1:])
    points = Counter(claims.phase for claims in log if claims.reasons != ("protocol_error",))
    assert set(points.values()) <= {1}
    assert [claims.phase for claims in log] == sorted((claims.phase for claims in log), key=list(Point).index)


# ---------------------------------------------------------------- a message out of order


def _state(stage: Stage) -> dict[str, object]:
    """Everything that an exchange remembers, with what it is made of."""
    exchange = dict(vars(stage.exchange))
    intakes = {way: dict(vars(intake)) for way, intake in exchange.pop("_intakes").items()}
    bodies = {way: dict(vars(intake.pop("_body"))) for way, intake in intakes.items()}
    return {"exchange": exchange, "intakes": intakes, "bodies": bodies}


@settings(max_examples=300)
@given(_ruleses, _JUST_ANYTHING | _nearly_legal(), _EVENTS)
def test_a_message_that_the_table_does_not_hold_changes_nothing(
    rules: Rules, events: list[Event | ProtocolError], last: Event
) -> None:
    stage = Stage(rules)
    _play(stage, events)
    before = _state(stage)
    try:
        stage.exchange.receive(last)
    except ProtocolError:
        assert _state(stage) == before


@given(_EVENTS)
def test_after_the_end_nothing_is_legal(event: Event) -> None:
    stage = Stage()
    stage.close()
    assert stage.exchange._phase is Phase.ENDED  # noqa: SLF001 - the state has no other window
    reply = stage.reply(event)
    assert isinstance(reply, ImmediateResponse)
    assert reply.details == "protocol_error"


def test_the_events_of_these_tests_reach_every_phase() -> None:
    """A property over runs that all end at the first message would prove nothing."""
    reached: Counter[Phase] = Counter()

    @settings(max_examples=500, database=None, derandomize=True)
    @given(_nearly_legal())
    def walk(events: list[Event | ProtocolError]) -> None:
        stage = Stage()
        for event in events:
            _play(stage, [event])
            reached[stage.exchange._phase] += 1  # noqa: SLF001 - the state has no other window

    walk()
    assert set(reached) == set(Phase) - {Phase.START}
