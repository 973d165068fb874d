import pytest
from core.stage import (
    JSON_TYPE,
    REQUEST,
    request_body,
    request_headers,
    request_trailers,
    response_headers,
)

from extproc.core.body import MemoryBudget
from extproc.core.events import Headers
from extproc.core.half import Half
from extproc.core.headers import NO_HEADERS, HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.intake import Intake, endless_state
from extproc.core.rules import Limits

OURS = ("x-extproc-team", b"a")


def _intake() -> Intake:
    return Intake(REQUEST, Limits(body_bytes=100), MemoryBudget(1_000))


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


def test_a_body_that_envoy_refused_is_over_the_limit() -> None:
    intake = _intake()
    intake.keep(request_headers())
    intake.refuse()
    assert intake.half().inspection == Inspection(State.OVER_LIMIT)


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
