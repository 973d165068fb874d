from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.body import MemoryBudget, Reassembly, inspect, inspect_missing, state_from_headers
from extproc.core.events import Direction, Headers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits
from extproc.errors import Overloaded

LIMITS = Limits(body_bytes=100, depth=4, fields=4)
JSON = ("content-type", b"application/json")


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def _headers(*pairs: tuple[str, bytes], direction: Direction = Direction.REQUEST) -> Headers:
    return Headers(direction, HeaderMap(pairs), end_of_stream=False)


def _response(*pairs: tuple[str, bytes], status: bytes = b"200") -> Headers:
    return _headers((":status", status), *pairs, direction=Direction.RESPONSE)


def _body(*chunks: bytes, limit_bytes: int = 100) -> Reassembly:
    body = Reassembly(limit_bytes, MemoryBudget(1_000))
    for chunk in chunks:
        body.feed(chunk)
    return body


# ---------------------------------------------------------------- the budget


def test_a_budget_takes_what_fits_and_refuses_the_next_byte() -> None:
    budget = MemoryBudget(10)
    budget.charge(4)
    budget.charge(6)
    with pytest.raises(Overloaded):
        budget.charge(1)
    budget.charge(0)
    assert budget.current == 10


def test_what_is_released_can_be_charged_again() -> None:
    budget = MemoryBudget(10)
    budget.charge(10)
    budget.release(3)
    budget.charge(2)
    assert budget.current == 9


# ---------------------------------------------------------------- reassembly


def test_a_body_of_one_chunk_is_that_very_object() -> None:
    chunk = b"abc" * 5
    body = _body(b"", chunk, b"")
    joined = body.data()
    assert _body(chunk).data() is chunk
    assert joined == chunk
    assert body.data() is joined


def test_a_body_is_its_chunks_in_order_each_byte_charged_once() -> None:
    budget = MemoryBudget(6)
    body = Reassembly(6, budget)
    for chunk in (b"ab", b"", b"cd", b"ef"):
        body.feed(chunk)
    assert (body.data(), body.size, body.over_limit, body.digest) == (b"abcdef", 6, False, _digest(b"abcdef"))
    assert budget.current == 6


def test_one_byte_over_the_limit_drops_everything_and_only_counts_on() -> None:
    budget = MemoryBudget(100)
    body = Reassembly(4, budget)
    for chunk in (b"abcd", b"e", b"", b"fg"):
        body.feed(chunk)
    assert (body.data(), body.size, body.over_limit, body.digest) == (b"", 7, True, "")
    assert budget.current == 0


def test_a_chunk_beyond_the_budget_changes_nothing() -> None:
    budget = MemoryBudget(4)
    body = Reassembly(100, budget)
    body.feed(b"abc")
    with pytest.raises(Overloaded):
        body.feed(b"de")
    assert (body.data(), body.size, budget.current) == (b"abc", 3, 3)


def test_releasing_gives_the_bytes_back_once_and_keeps_the_count() -> None:
    budget = MemoryBudget(4)
    body = Reassembly(4, budget)
    body.feed(b"abc")
    body.release()
    body.release()
    assert (body.data(), body.size, body.over_limit, body.digest, budget.current) == (b"", 3, False, "", 0)


# ---------------------------------------------------------------- what headers say alone


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ((), None),
        (((":method", b"GET"),), None),
        (((":method", b"CONNECT"),), State.UPGRADE),
        (((":method", b"CONNECT"), (":protocol", b"websocket")), State.UPGRADE),
        ((("connection", b"Upgrade"), ("upgrade", b"websocket")), State.UPGRADE),
        ((("connection", b"keep-alive, upgrade"), ("upgrade", b"x")), State.UPGRADE),
        ((("connection", b"keep-alive"), ("connection", b"upgrade"), ("upgrade", b"x")), State.UPGRADE),
        ((("connection", b"upgrade"),), None),
        ((("upgrade", b"websocket"),), None),
        ((("connection", b"upgraded"), ("upgrade", b"x")), None),
        ((("content-type", b"text/event-stream"),), None),
        ((("content-type", b"multipart/byteranges; boundary=a"),), None),
    ],
)
def test_an_upgrade_is_seen_in_a_requests_headers(headers: tuple[tuple[str, bytes], ...], state: State | None) -> None:
    assert state_from_headers(Direction.REQUEST, HeaderMap(headers), 0) == state


@pytest.mark.parametrize(
    ("status", "types", "state"),
    [
        (200, (), None),
        (200, (b"text/html",), None),
        (200, (b"Text/Event-Stream; charset=utf-8",), State.STREAM),
        (200, (b"text/event-stream;;;=",), State.STREAM),
        (200, (b"text/html", b"text/event-stream"), State.STREAM),
        (200, (b"text/html, text/event-stream",), State.STREAM),
        (206, (b"text/html",), State.PARTIAL),
        (206, (), State.PARTIAL),
        (206, (b"text/event-stream",), State.STREAM),
        (200, (b"multipart/byteranges; boundary=a",), State.PARTIAL),
    ],
)
def test_streams_and_pieces_are_seen_in_a_responses_headers(
    status: int, types: tuple[bytes, ...], state: State | None
) -> None:
    headers = HeaderMap(tuple(("content-type", value) for value in types))
    assert state_from_headers(Direction.RESPONSE, headers, status) == state


# ---------------------------------------------------------------- the inspection


def test_a_json_body_is_complete_and_its_bytes_are_held_once() -> None:
    data = b'{"a": 1.0}'
    seen = inspect(_headers(("content-type", b"application/json; charset=UTF-8")), _body(data), LIMITS)
    assert seen == Inspection(
        State.COMPLETE,
        media_type="application/json",
        charset="utf-8",
        size=10,
        decoded_size=10,
        digest=_digest(data),
        raw=data,
        parsed=data,
    )
    assert seen.raw is data
    assert seen.parsed is data


def test_a_body_of_no_byte_is_empty_whatever_its_headers_say() -> None:
    head = _headers(("content-type", b"text/plain"), ("content-encoding", b"gzip"), ("content-length", b"9"))
    expected = Inspection(State.EMPTY, media_type="text/plain", encodings=("gzip",), digest=_digest(b""))
    assert inspect(head, _body(b"", b""), LIMITS) == expected
    assert inspect(_response(status=b"206"), _body(), LIMITS) == Inspection(State.EMPTY, digest=_digest(b""))


def test_a_body_over_the_limit_is_counted_and_not_shown() -> None:
    plain = inspect(_headers(JSON, ("content-length", b"3")), _body(b"abc", b"de", limit_bytes=4), LIMITS)
    coded = inspect(_headers(JSON, ("content-encoding", b"gzip")), _body(b"abc", b"de", limit_bytes=4), LIMITS)
    assert plain == Inspection(State.OVER_LIMIT, media_type="application/json", size=5)
    assert coded == Inspection(State.OVER_LIMIT, media_type="application/json", encodings=("gzip",), size=5)


@pytest.mark.parametrize(
    ("values", "codings"),
    [
        ((b"compress",), ("compress",)),
        ((b"GZIP, br",), ("gzip", "br")),
        ((b"gzip, identity",), ("gzip", "identity")),
        ((b"gzip", b"gzip"), ("gzip", "gzip")),
        ((b"gzip,",), ("gzip", "")),
        ((b"gzip;q=1",), ("gzip;q=1",)),
        ((b"\x0bgzip",), ("\x0bgzip",)),
        ((b"identity", b"identity"), ("identity", "identity")),
        ((b"identity, gzip",), ("identity", "gzip")),
        ((b"identity,",), ("identity", "")),
        ((b"",), ("",)),
        ((b"\xe9",), ("é",)),
    ],
)
def test_all_but_one_coding_that_we_undo_is_undecodable(values: tuple[bytes, ...], codings: tuple[str, ...]) -> None:
    head = _headers(JSON, *(("content-encoding", value) for value in values))
    expected = Inspection(
        State.UNDECODABLE, media_type="application/json", encodings=codings, size=2, digest=_digest(b"{}"), raw=b"{}"
    )
    assert inspect(head, _body(b"{}"), LIMITS) == expected


def test_identity_is_no_coding() -> None:
    seen = inspect(_headers(JSON, ("content-encoding", b"Identity")), _body(b"{}"), LIMITS)
    assert (seen.state, seen.encodings, seen.decoded_size) == (State.COMPLETE, ("identity",), 2)


@pytest.mark.parametrize("lengths", [(b"1",), (b"3",), (b"02",), (b"2", b"2"), (b"2, 2",), (b"x",), (b"",)])
@pytest.mark.parametrize("response", [False, True])
def test_a_length_that_is_not_the_bodys_is_malformed(lengths: tuple[bytes, ...], response: bool) -> None:  # noqa: FBT001 - a case
    """RFC 9113 section 8.1.1 has the word."""
    pairs = (JSON, *(("content-length", value) for value in lengths))
    expected = Inspection(
        State.MALFORMED, media_type="application/json", size=2, decoded_size=2, digest=_digest(b"{}"), raw=b"{}"
    )
    head = _response(*pairs) if response else _headers(*pairs)
    assert inspect(head, _body(b"{}"), LIMITS) == expected


def test_the_length_of_the_body_is_no_contradiction() -> None:
    assert inspect(_headers(JSON, ("content-length", b"2")), _body(b"{}"), LIMITS).state is State.COMPLETE


@pytest.mark.parametrize("types", [(b"json",), (b"application/json", b"application/json"), (b"",)])
def test_an_unreadable_or_repeated_content_type_is_a_mismatch(types: tuple[bytes, ...]) -> None:
    head = _headers(*(("content-type", value) for value in types))
    expected = Inspection(State.TYPE_MISMATCH, size=2, decoded_size=2, digest=_digest(b"{}"), raw=b"{}")
    assert inspect(head, _body(b"{}"), LIMITS) == expected


@pytest.mark.parametrize(
    ("declared", "data", "state"),
    [
        (b"application/json", b"{", State.MALFORMED),
        (b"application/json", b"\x1f\x8b\x08", State.MALFORMED),
        (b"application/json;charset=utf-16", b"{}", State.UNDECODABLE),
        (b"application/x-www-form-urlencoded", b"a=%", State.MALFORMED),
        (b"application/x-www-form-urlencoded", b"{}", State.TYPE_MISMATCH),
        (b"text/plain", b"\xff", State.UNDECODABLE),
        (b"image/png", b"\xff", State.OPAQUE),
    ],
)
def test_a_body_without_a_reading_keeps_its_bytes(declared: bytes, data: bytes, state: State) -> None:
    seen = inspect(_headers(("content-type", declared)), _body(data), LIMITS)
    assert (seen.state, seen.raw, seen.parsed, seen.text, seen.decoded_size) == (state, data, None, None, len(data))


def test_a_form_and_a_text_and_sniffed_json_are_complete() -> None:
    form = inspect(_headers(("content-type", b"application/x-www-form-urlencoded")), _body(b"a=1"), LIMITS)
    text = inspect(_headers(("content-type", b"text/plain")), _body(b"a=1"), LIMITS)
    sniffed = inspect(_headers(), _body(b"[1]"), LIMITS)
    assert (form.state, form.parsed, form.text, form.sniffed) == (State.COMPLETE, b'{"a":["1"]}', None, False)
    assert (text.state, text.parsed, text.text, text.sniffed) == (State.COMPLETE, None, "a=1", False)
    assert (sniffed.state, sniffed.parsed, sniffed.text, sniffed.sniffed) == (State.COMPLETE, b"[1]", None, True)


def test_a_piece_of_a_response_is_partial_even_where_it_parses() -> None:
    expected = Inspection(
        State.PARTIAL, media_type="application/json", size=2, decoded_size=2, digest=_digest(b"{}"), raw=b"{}"
    )
    assert inspect(_response(JSON, status=b"206"), _body(b"{}"), LIMITS) == expected


@pytest.mark.parametrize(
    ("lengths", "state"),
    [
        ((), State.EMPTY),
        ((b"0",), State.EMPTY),
        ((b"1",), State.NOT_SENT),
        ((b"0", b"0"), State.NOT_SENT),
        ((b"x",), State.NOT_SENT),
    ],
)
def test_trailers_in_place_of_a_declared_body_mean_it_was_not_sent(lengths: tuple[bytes, ...], state: State) -> None:
    head = _headers(JSON, ("content-encoding", b"gzip"), *(("content-length", value) for value in lengths))
    assert inspect_missing(head) == Inspection(state, media_type="application/json", encodings=("gzip",))


_BODIES = [b'{"a":[1,"\\u00e9"]}', b"a=1&b=%C3%A9", "é text".encode(), b"[1,", b"\xff" * 9, b"x" * 101, b""]
_TYPES = [None, b"application/json", b"application/x-www-form-urlencoded", b"text/plain", b"image/png", b"?"]


@given(st.sampled_from(_BODIES), st.sampled_from(_TYPES), st.lists(st.integers(0, 101), max_size=6))
def test_no_split_into_chunks_changes_the_inspection(data: bytes, declared: bytes | None, cuts: list[int]) -> None:
    head = _headers() if declared is None else _headers(("content-type", declared))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in pairwise(edges)]
    assert inspect(head, _body(*chunks), LIMITS) == inspect(head, _body(data), LIMITS)
