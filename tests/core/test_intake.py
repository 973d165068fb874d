import pytest
from core.bodies import no_effort
from core.stage import (
    JSON_TYPE,
    REQUEST,
    request_body,
    request_headers,
    request_trailers,
    response_headers,
)

from extproc.core.budget import MemoryBudget
from extproc.core.events import Headers
from extproc.core.half import Half
from extproc.core.headers import NO_HEADERS, HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.intake import Intake, endless_state
from extproc.core.rules import Limits
from extproc.errors import Overloaded

OURS = ("x-extproc-team", b"a")


def _intake() -> Intake:
    return Intake(REQUEST, Limits(body_bytes=100), MemoryBudget(1_000), no_effort)


BESIDE = {
    "application/xml": b"<s:a xmlns:s='" + b"u" * 200 + b"'>" + b"<s:b/>" * 50 + b"</s:a>",
    "application/x-www-form-urlencoded": b"a=" + b"1" * 500,
    "text/plain": b"a" * 500,
    "application/grpc": bytes(5) * 100,
    "application/json": b'{"jsonrpc":"2.0","id":1,"method":"' + b"m" * 500 + b'"}',
    "application/graphql": b"{a}" + b" " * 500,
}


def _intake_of(media: str, budget: MemoryBudget) -> Intake:
    intake = Intake(REQUEST, Limits(), budget, no_effort)
    intake.keep(request_headers(("content-type", media.encode())))
    intake.keep(request_body(BESIDE[media]))
    return intake


def test_before_anything_came_a_half_is_empty_and_not_sent() -> None:
    empty = Headers(REQUEST, NO_HEADERS, end_of_stream=False)
    assert _intake().half() == Half(empty, Inspection(State.NOT_SENT))


def test_a_half_has_what_came_without_what_only_the_server_may_say() -> None:
    intake = _intake()
    head = request_headers(JSON_TYPE, OURS)
    intake.keep(head, ("x-extproc-team",))
    intake.keep(request_body(b"{}", end=False))
    last = request_trailers(("x-sum", b"1"), OURS)
    intake.keep(last, ("x-extproc-team",))
    seen = intake.inspect(last)
    assert (seen.state, seen.raw) == (State.COMPLETE, b"{}")
    honest_head = Headers(REQUEST, HeaderMap(head.headers.pairs[:-1]), False, head.attributes, head.metadata)  # noqa: FBT003 - its fields in order
    assert intake.half() == Half(honest_head, seen, HeaderMap((("x-sum", b"1"),)))


def test_honest_headers_are_kept_as_they_are() -> None:
    intake = _intake()
    head = request_headers(JSON_TYPE)
    intake.keep(head)
    assert intake.half().head is head


def test_what_is_forgotten_leaves_its_facts() -> None:
    intake = _intake()
    intake.forget()
    intake.keep(request_headers(JSON_TYPE))
    intake.keep(request_body(b"{}"))
    seen = intake.inspect(request_body(b"{}"))
    intake.forget()
    intake.forget()
    assert intake.half().inspection == Inspection(State.COMPLETE, size=2, digest=seen.digest)


@pytest.mark.parametrize("media", BESIDE)
def test_what_is_forgotten_after_only_what_is_shown_was_kept_leaves_its_facts(media: str) -> None:
    """The budget knows no more of it: a response without an end may keep the exchange for hours."""
    intake = _intake_of(media, MemoryBudget(1 << 20))
    seen = intake.inspect(request_body(BESIDE[media]))
    intake.keep_shown(compatibility_bodies=False)
    intake.forget()
    assert intake.half().inspection == Inspection(seen.state, size=seen.size, digest=seen.digest)


def test_a_body_that_envoy_refused_is_over_the_limit() -> None:
    intake = _intake()
    intake.keep(request_headers())
    intake.refuse()
    assert intake.half().inspection == Inspection(State.OVER_LIMIT)


@pytest.mark.parametrize("media", BESIDE)
def test_what_is_made_of_a_body_counts_until_it_is_forgotten(media: str) -> None:
    budget = MemoryBudget(1 << 20)
    intake = _intake_of(media, budget)
    seen = intake.inspect(request_body(BESIDE[media]))
    made = [seen.text or "", seen.frames or b"", *(text for _, text in seen.lifted)]
    made += [seen.parsed or b""] if seen.parsed is not seen.raw else []
    assert sum(map(len, made)) > 0
    assert budget.current >= len(BESIDE[media]) + sum(map(len, made))
    intake.forget()
    assert budget.current == 0


@pytest.mark.parametrize("media", BESIDE)
def test_what_is_made_of_a_body_and_does_not_fit_is_overloaded_and_leaves_nothing(media: str) -> None:
    budget = MemoryBudget(len(BESIDE[media]) + 10)
    intake = _intake_of(media, budget)
    with pytest.raises(Overloaded):
        intake.inspect(request_body(BESIDE[media]))
    assert intake.half().inspection.state is State.OVER_LIMIT
    intake.forget()
    assert budget.current == 0


def test_json_is_its_own_parsed_body_and_counts_once() -> None:
    budget = MemoryBudget(1 << 20)
    intake = Intake(REQUEST, Limits(), budget, no_effort)
    intake.keep(request_headers(JSON_TYPE))
    intake.keep(request_body(b"[1]"))
    intake.inspect(request_body(b"[1]"))
    assert budget.current == len(b"[1]")


@pytest.mark.parametrize(
    ("head", "state"),
    [
        (request_headers(), None),
        (request_headers(("connection", b"upgrade"), ("upgrade", b"h2c"), end=True), State.UPGRADE),
        (request_headers(("connection", b"upgrade")), None),
        (request_headers(("upgrade", b"websocket")), None),
        (Headers(REQUEST, HeaderMap(((":method", b"CONNECT"),)), end_of_stream=False), State.UPGRADE),
        (response_headers(("content-type", b"Text/Event-Stream; charset=utf-8")), State.STREAM),
        (response_headers(("content-type", b"text/event-stream"), end=True), None),
        (response_headers(status=b"206"), None),
    ],
)
def test_a_body_without_an_end_is_known_by_its_headers(head: Headers, state: State | None) -> None:
    assert endless_state(head) is state
