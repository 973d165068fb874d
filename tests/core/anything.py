"""Whatever Envoy may send, in any order or nearly the right one, and whatever engine, log and configuration may do."""

from dataclasses import dataclass

from core.stage import AT_HEADERS, AT_REQUEST, AT_RESPONSE, REQUEST, RESPONSE, says
from hypothesis import strategies as st

from extproc.core.engine import Evaluation, Question
from extproc.core.events import Body, Direction, Event, Headers, Trailers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import State
from extproc.core.receipt import Claims
from extproc.core.rules import Limits, Mode, Rules, StateAnswer
from extproc.errors import EngineError, EngineTimeout, Overloaded, ProtocolError

LIMITS = Limits(body_bytes=32, depth=8, fields=8)

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
EVENTS = _heads | _bodies | st.builds(Trailers, _directions, _headers)
_GARBAGE = ProtocolError("not a ProcessingRequest")
JUST_ANYTHING = st.lists(EVENTS | st.just(_GARBAGE), max_size=8)


@st.composite
def nearly_legal(draw: st.DrawFn) -> list[Event | ProtocolError]:
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
        out.insert(draw(st.integers(0, len(out))), draw(EVENTS | st.just(_GARBAGE)))
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


fates = st.builds(
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


ruleses = st.builds(_rules, st.sampled_from(Mode), waived=st.booleans(), evaluate=st.booleans(), headers=st.booleans())
