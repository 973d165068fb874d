"""Whole exchanges with bodies under a content coding: decided as if they were plain, and freed."""

from hashlib import sha256
from itertools import pairwise

import orjson
import pytest
from core.coded import CODINGS, LIMITS, MIB, PLAIN, coding
from core.coding.encoders import ENCODERS
from core.stage import JSON_TYPE, Stage, outcomes, request_body, request_headers, response_body, response_headers, says
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.budget import MemoryBudget
from extproc.core.events import Continue, ImmediateResponse
from extproc.core.inspection import State
from extproc.core.rules import Rules


def test_a_full_budget_is_answered_overloaded_and_given_back() -> None:
    budget = MemoryBudget(2_000)
    wire = ENCODERS["gzip"](b"a" * 2_000)
    stage = Stage(budget=budget).play(request_headers(coding("gzip")), request_body(wire))
    assert outcomes(stage.log) == [("request", "error", ("overloaded",))]
    facts = stage.log[0].request
    assert (facts.inspection, facts.body_bytes) == (State.OVER_LIMIT, len(wire))
    assert facts.body_digest == sha256(wire).hexdigest()
    assert isinstance(stage.replies[-1], ImmediateResponse)
    stage.close()
    assert budget.current == 0


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
        request_headers(head, coding(name)),
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
        request_headers(("content-type", media), coding(name)), request_body(short)
    )
    state = stage.log[0].request.inspection
    assert state is (State.UNDECODABLE if short else State.EMPTY) or len(plain) > LIMITS.body_bytes
    assert state is not State.COMPLETE


@pytest.mark.parametrize("name", CODINGS)
def test_a_response_is_decoded_too_and_both_bodies_are_freed(name: str) -> None:
    budget = MemoryBudget(1_000)
    stage = Stage(engine=says(b"true"), budget=budget).play(
        request_headers(JSON_TYPE, coding(name)),
        request_body(ENCODERS[name](PLAIN)),
        response_headers(JSON_TYPE, coding(name)),
    )
    assert budget.current == len(PLAIN)
    stage.play(response_body(ENCODERS[name](b'{"ok": true}')))
    seen = _inputs(stage)[-1]
    assert (seen["parsed_body"], seen["parsed_response_body"]) == ({"a": [1, 2.5]}, {"ok": True})
    assert all(isinstance(reply, Continue) for reply in stage.replies)
    assert budget.current == 0
