"""Between the two verdicts an exchange holds what the response point shows of the request, and no more."""

import json
import tracemalloc
from itertools import product
from string import ascii_letters

import pytest
from core.stage import EVENT_STREAM, REQUEST, RESPONSE, Stage, outcomes, request_body, request_headers, response_headers

from extproc.core.budget import MemoryBudget
from extproc.core.events import Headers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import State
from extproc.core.rules import Mode, Rules

MADE_OF = {
    b"application/xml": b"<a>" + b"<b/>" * 30 + b"</a>",
    b"application/x-www-form-urlencoded": b"a=" + b"1" * 500,
    b"application/x-ndjson": b"[1]\n" * 50,
    b"multipart/form-data; boundary=XX": (
        b"--XX\r\ncontent-disposition: form-data; name=a; filename=b\r\n\r\n" + b"1" * 500 + b"\r\n--XX--\r\n"
    ),
    b"text/plain": b"a" * 500,
}
SHOWN = {b"application/json": b'{"a": 1}', b"image/png": b"\x89PNG" * 90, b"application/grpc": bytes(5) * 90}
EVALUATED = Rules(states={REQUEST: {State.MALFORMED: "evaluate"}, RESPONSE: {}})


def _held(media: bytes, body: bytes, rules: Rules | None = None) -> tuple[int, int, Stage]:
    """What is held while the request is judged, and after it."""
    budget = MemoryBudget(1 << 20)
    stage = Stage(rules or Rules(), budget=budget)
    judge, held = stage.engine, []
    stage.engine = lambda question: held.append(budget.current) or judge(question)
    stage.play(request_headers(("content-type", media)), request_body(body))
    held.append(budget.current)
    stage.play(response_headers(end=True))
    stage.close()
    assert budget.current == 0
    return held[0], held[1], stage


@pytest.mark.parametrize("media", MADE_OF)
def test_bytes_of_which_something_was_made_are_let_go_after_the_requests_verdict(media: bytes) -> None:
    before, after, _ = _held(media, MADE_OF[media])
    assert after == before - len(MADE_OF[media]) > 0


@pytest.mark.parametrize("media", SHOWN)
def test_bytes_that_are_shown_themselves_are_held(media: bytes) -> None:
    before, after, _ = _held(media, SHOWN[media])
    assert after == before >= len(SHOWN[media])


@pytest.mark.parametrize("media", MADE_OF)
def test_bytes_that_are_shown_beside_what_was_made_of_them_are_held(media: bytes) -> None:
    before, after, _ = _held(media, MADE_OF[media], Rules(compatibility_bodies=True))
    assert after == before


@pytest.mark.parametrize("media", MADE_OF)
def test_nothing_is_held_of_a_body_that_was_too_much_and_passes_all_the_same(media: bytes) -> None:
    """In shadow mode: nobody is shown its bytes, and others need the room."""
    budget = MemoryBudget(len(MADE_OF[media]))
    stage = Stage(Rules(mode=Mode.SHADOW), budget=budget).play(
        request_headers(("content-type", media)), request_body(MADE_OF[media])
    )
    assert (outcomes(stage.log), budget.current) == ([("request", "error", ("overloaded",))], 0)


@pytest.mark.parametrize("media", MADE_OF | SHOWN)
def test_nothing_is_held_beside_a_stream_that_passes(media: bytes) -> None:
    budget = MemoryBudget(1 << 20)
    rules = Rules(states={REQUEST: {}, RESPONSE: {State.STREAM: "evaluate"}})
    stage = Stage(rules, budget=budget).play(
        request_headers(("content-type", media)), request_body((MADE_OF | SHOWN)[media])
    )
    assert budget.current > 0
    stage.play(response_headers(EVENT_STREAM))
    assert (budget.current, len(stage.asked)) == (0, 2)


@pytest.mark.parametrize(
    ("media", "body", "rules"),
    [
        *((media, body, Rules()) for media, body in (MADE_OF | SHOWN).items()),
        *((media, body, Rules(compatibility_bodies=True)) for media, body in (MADE_OF | SHOWN).items()),
        (b"application/json", b"{", EVALUATED),
        (b"application/json", b"", Rules()),
    ],
)
def test_both_points_show_the_same_of_the_request(media: bytes, body: bytes, rules: Rules) -> None:
    _, _, stage = _held(media, body, rules)
    asked, again = (json.loads(question.input) for question in stage.asked)
    del again["attributes"]["response"], again["inspection"]["response"]
    assert again == asked | {"phase": "response"}
    assert stage.log[1].request == stage.log[0].request


def test_a_long_request_line_is_not_held_in_pieces_until_the_response() -> None:
    """Fifteen thousand parameters take 2.5 MB, which no budget counts, and a worker has 1,024 places."""
    query = "&".join(map("".join, list(product(ascii_letters, repeat=3))[:15_000])).encode()
    stage = Stage(Rules())
    tracemalloc.start()
    stage.play(Headers(REQUEST, HeaderMap(((":method", b"GET"), (":path", b"/?" + query))), end_of_stream=True))
    del stage.asked[:]
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    stage.play(response_headers(end=True))
    assert len(json.loads(stage.asked[-1].input)["parsed_query"]) == 15_000
    assert held < 1 << 20
