"""A body under a content coding: what the policy sees, what is held for it, and what is given back."""

import tracemalloc
from hashlib import sha256
from itertools import pairwise

import orjson
import pytest
from core.coding.encoders import ENCODERS
from core.stage import (
    JSON_TYPE,
    REQUEST,
    Stage,
    outcomes,
    request_body,
    request_headers,
    response_body,
    response_headers,
    says,
)
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.body import MemoryBudget, Reassembly, inspect
from extproc.core.coding import DECODERS
from extproc.core.events import Continue, Headers, ImmediateResponse
from extproc.core.headers import HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits, Rules
from extproc.errors import OverLimit, Overloaded, Undecodable

LIMITS = Limits(body_bytes=1_000, decoded_bytes=20_000, decoded_ratio=10, depth=8, fields=8)
MIB = 1 << 20
PLAIN = b'{"a": [1, 2.50]}'
CODINGS = sorted(ENCODERS)


def _coding(name: str) -> tuple[str, bytes]:
    return ("content-encoding", name.encode())


def _held(data: bytes, budget: MemoryBudget | None = None, limit_bytes: int = 1_000) -> Reassembly:
    body = Reassembly(limit_bytes, budget or MemoryBudget(10 * MIB))
    body.feed(data)
    return body


def _inspected(data: bytes, *pairs: tuple[str, bytes], limits: Limits = LIMITS) -> Inspection:
    return inspect(Headers(REQUEST, HeaderMap(pairs), end_of_stream=False), _held(data), limits)


# ---------------------------------------------------------------- what is seen


@pytest.mark.parametrize("name", [*CODINGS, "GZIP", "Br"])
def test_the_policy_sees_the_decoded_bytes_and_the_receipt_those_on_the_wire(name: str) -> None:
    wire = ENCODERS[name.lower()](PLAIN)
    length = ("content-length", str(len(wire)).encode())
    assert _inspected(wire, JSON_TYPE, _coding(name), length) == Inspection(
        State.COMPLETE,
        media_type="application/json",
        encodings=(name.lower(),),
        size=len(wire),
        decoded_size=len(PLAIN),
        digest=sha256(wire).hexdigest(),
        raw=PLAIN,
        parsed=PLAIN,
    )


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("types", [(), (b"application/json",), (b"text/plain", b"text/html")])
def test_a_coding_of_nothing_is_empty_as_nothing_is(name: str, types: tuple[bytes, ...]) -> None:
    seen = _inspected(ENCODERS[name](b""), *(("content-type", value) for value in types), _coding(name))
    assert (seen.state, seen.raw, seen.decoded_size) == (State.EMPTY, b"", 0)
    assert seen.size > 0


@pytest.mark.parametrize("name", CODINGS)
def test_a_stream_that_is_not_whole_keeps_its_bytes_as_they_came(name: str) -> None:
    wire = ENCODERS[name](PLAIN)[:-1]
    assert _inspected(wire, JSON_TYPE, _coding(name)) == Inspection(
        State.UNDECODABLE,
        media_type="application/json",
        encodings=(name,),
        size=len(wire),
        digest=sha256(wire).hexdigest(),
        raw=wire,
    )


@pytest.mark.parametrize(
    ("types", "plain", "state"),
    [
        ((b"application/json",), b"{", State.MALFORMED),
        ((b"application/json",), b'{"a":1,"a":2}', State.MALFORMED),
        ((b"text/html",), b"[1]", State.TYPE_MISMATCH),
        ((b"text/html", b"text/html"), b"<a>", State.TYPE_MISMATCH),
        ((b"text/plain",), b"\xff", State.UNDECODABLE),
        ((b"image/png",), b"\xff", State.OPAQUE),
    ],
)
def test_the_rules_of_the_type_hold_under_a_coding(types: tuple[bytes, ...], plain: bytes, state: State) -> None:
    seen = _inspected(ENCODERS["gzip"](plain), *(("content-type", value) for value in types), _coding("gzip"))
    assert (seen.state, seen.raw, seen.decoded_size) == (state, plain, len(plain))


def test_a_coding_does_not_undo_itself_twice() -> None:
    once = ENCODERS["gzip"](PLAIN)
    assert _inspected(ENCODERS["gzip"](once), JSON_TYPE, _coding("gzip")).state is State.MALFORMED


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize(("length", "state"), [(1_000, State.COMPLETE), (1_001, State.OVER_LIMIT)])
def test_a_short_body_may_unfold_to_what_a_plain_one_may_have(name: str, length: int, state: State) -> None:
    wire = ENCODERS[name](b"a" * length)
    assert len(wire) < length / LIMITS.decoded_ratio
    seen = _inspected(wire, ("content-type", b"text/plain"), _coding(name))
    assert (seen.state, seen.size, seen.digest) == (state, len(wire), sha256(wire).hexdigest())
    assert (seen.decoded_size, len(seen.raw)) == ((0, 0) if state is State.OVER_LIMIT else (length, length))


@pytest.mark.parametrize("name", CODINGS)
def test_more_needs_its_share_on_the_wire(name: str) -> None:
    text = b"".join(b"%d" % (n * n) for n in range(400))
    assert 1_000 < len(text) < 10 * len(ENCODERS[name](text))
    assert _inspected(ENCODERS[name](text), ("content-type", b"text/plain"), _coding(name)).raw == text


@pytest.mark.parametrize("name", CODINGS)
def test_a_bomb_is_never_held_beyond_the_limit(name: str) -> None:
    budget = MemoryBudget(10 * MIB)
    body = _held(ENCODERS[name](b"\0" * (32 * MIB)), budget, MIB)
    wire_bytes = budget.current
    tracemalloc.start()
    with pytest.raises(OverLimit):
        body.decode(DECODERS[name], 4 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * MIB + wire_bytes
    assert (body.data(), body.decoded, budget.current) == (b"", False, 0)


# ---------------------------------------------------------------- the budget


@pytest.mark.parametrize("name", CODINGS)
def test_decoded_bytes_take_the_place_of_those_on_the_wire(name: str) -> None:
    budget = MemoryBudget(10_000)
    body = _held(ENCODERS[name](b"a" * 9_000), budget)
    body.decode(DECODERS[name], 9_000)
    assert (body.data(), body.decoded, body.digest, budget.current) == (b"a" * 9_000, True, "", 9_000)
    body.release()
    body.release()
    assert (body.data(), budget.current) == (b"", 0)


@pytest.mark.parametrize("name", CODINGS)
def test_a_full_budget_and_a_broken_stream_change_nothing(name: str) -> None:
    wire = ENCODERS[name](b"a" * 9_000)
    for data, error in ((wire, Overloaded), (wire[:-1], Undecodable)):
        budget = MemoryBudget(9_000 + (len(wire) if error is Undecodable else 0))
        body = _held(data, budget)
        with pytest.raises(error):
            body.decode(DECODERS[name], 20_000)
        assert (body.data(), body.decoded, budget.current) == (data, False, len(data))


def test_a_full_budget_is_answered_overloaded_and_given_back() -> None:
    budget = MemoryBudget(2_000)
    wire = ENCODERS["gzip"](b"a" * 2_000)
    stage = Stage(budget=budget).play(request_headers(_coding("gzip")), request_body(wire))
    assert outcomes(stage.log) == [("request", "error", ("overloaded",))]
    facts = stage.log[0].request
    assert (facts.inspection, facts.body_bytes) == (State.OVER_LIMIT, len(wire))
    assert facts.body_digest == sha256(wire).hexdigest()
    assert isinstance(stage.replies[-1], ImmediateResponse)
    stage.close()
    assert budget.current == 0


# ---------------------------------------------------------------- whole exchanges


def _inputs(stage: Stage) -> list[dict[str, object]]:
    """What policy was shown of a body whatever its coding: all but the coding itself and the bytes on the wire."""
    return [_without_coding(orjson.loads(question.input)) for question in stage.asked]


def _without_coding(document: dict[str, dict]) -> dict[str, object]:
    for half in document["inspection"]:
        http = document["attributes"][half]["http"]
        for known, names in (
            (document["inspection"][half], ("bytes", "encodings")),
            (http, ("size",)),
            (http["headers"], ("content-encoding",)),
            (http["header_values"], ("content-encoding",)),
        ):
            for name in names:
                known.pop(name, None)
    return document


_texts = st.sampled_from([b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b"image/png", b"?"])
_plains = st.binary(max_size=60) | st.sampled_from([PLAIN, b"a=1&b=%C3%A9", b'{"a":1,"a":2}', b"[" * 99, b"x" * 1_001])


@given(st.sampled_from(CODINGS), _plains, _texts, st.lists(st.integers(0, 2_000), max_size=5))
def test_any_coding_in_any_pieces_gives_the_input_and_the_decision_of_the_plain_body(
    name: str, plain: bytes, media: bytes, cuts: list[int]
) -> None:
    rules = Rules(request=LIMITS)
    budget = MemoryBudget(MIB)
    wire = ENCODERS[name](plain)
    edges = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    pieces = [wire[start:end] for start, end in pairwise(edges)]
    head = ("content-type", media)
    expected = Stage(rules).play(request_headers(head), request_body(plain))
    coded = Stage(rules, budget=budget).play(
        request_headers(head, _coding(name)),
        *(request_body(piece, end=False) for piece in pieces[:-1]),
        request_body(pieces[-1]),
    )
    assert outcomes(coded.log) == outcomes(expected.log)
    assert coded.replies[-1] == expected.replies[-1]
    assert _inputs(coded) == _inputs(expected)
    facts = coded.log[0].request
    assert (facts.body_digest, facts.body_bytes) == (sha256(wire).hexdigest(), len(wire))
    coded.close()
    assert budget.current == 0


@given(st.sampled_from(CODINGS), _plains, _texts, st.integers(0))
def test_a_body_that_was_cut_is_never_shown_as_whole(name: str, plain: bytes, media: bytes, cut: int) -> None:
    wire = ENCODERS[name](plain)
    short = wire[: cut % len(wire)]
    stage = Stage(Rules(request=LIMITS)).play(
        request_headers(("content-type", media), _coding(name)), request_body(short)
    )
    state = stage.log[0].request.inspection
    assert state is (State.UNDECODABLE if short else State.EMPTY) or len(plain) > LIMITS.body_bytes
    assert state is not State.COMPLETE


@pytest.mark.parametrize("name", CODINGS)
def test_a_response_is_decoded_too_and_both_bodies_are_freed(name: str) -> None:
    budget = MemoryBudget(1_000)
    stage = Stage(engine=says(b"true"), budget=budget).play(
        request_headers(JSON_TYPE, _coding(name)),
        request_body(ENCODERS[name](PLAIN)),
        response_headers(JSON_TYPE, _coding(name)),
    )
    assert budget.current == len(PLAIN)
    stage.play(response_body(ENCODERS[name](b'{"ok": true}')))
    seen = _inputs(stage)[-1]
    assert (seen["parsed_body"], seen["parsed_response_body"]) == ({"a": [1, 2.5]}, {"ok": True})
    assert all(isinstance(reply, Continue) for reply in stage.replies)
    assert budget.current == 0
