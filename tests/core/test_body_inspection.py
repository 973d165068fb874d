"""What headers alone say of a body, and what is seen of it once it is there."""

from itertools import pairwise

import pytest
from core.bodies import digest, held
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.body import inspect, inspect_missing, state_from_headers
from extproc.core.events import Direction, Headers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits

LIMITS = Limits(body_bytes=100, depth=4, fields=4)
JSON = ("content-type", b"application/json")


def _headers(*pairs: tuple[str, bytes], direction: Direction = Direction.REQUEST) -> Headers:
    return Headers(direction, HeaderMap(pairs), end_of_stream=False)


def _response(*pairs: tuple[str, bytes], status: bytes = b"200") -> Headers:
    return _headers((":status", status), *pairs, direction=Direction.RESPONSE)


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
    seen = inspect(_headers(("content-type", b"application/json; charset=UTF-8")), held(data), LIMITS)
    assert seen == Inspection(
        State.COMPLETE,
        media_type="application/json",
        charset="utf-8",
        size=10,
        decoded_size=10,
        digest=digest(data),
        raw=data,
        parsed=data,
    )
    assert seen.raw is data
    assert seen.parsed is data


def test_a_body_of_no_byte_is_empty_whatever_its_headers_say() -> None:
    head = _headers(("content-type", b"text/plain"), ("content-encoding", b"gzip"), ("content-length", b"9"))
    expected = Inspection(State.EMPTY, media_type="text/plain", encodings=("gzip",), digest=digest(b""))
    assert inspect(head, held(b"", b""), LIMITS) == expected
    assert inspect(_response(status=b"206"), held(), LIMITS) == Inspection(State.EMPTY, digest=digest(b""))


def test_a_body_over_the_limit_is_counted_and_not_shown() -> None:
    plain = inspect(_headers(JSON, ("content-length", b"3")), held(b"abc", b"de", limit_bytes=4), LIMITS)
    coded = inspect(_headers(JSON, ("content-encoding", b"gzip")), held(b"abc", b"de", limit_bytes=4), LIMITS)
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
        State.UNDECODABLE, media_type="application/json", encodings=codings, size=2, digest=digest(b"{}"), raw=b"{}"
    )
    assert inspect(head, held(b"{}"), LIMITS) == expected


def test_identity_is_no_coding() -> None:
    seen = inspect(_headers(JSON, ("content-encoding", b"Identity")), held(b"{}"), LIMITS)
    assert (seen.state, seen.encodings, seen.decoded_size) == (State.COMPLETE, ("identity",), 2)


@pytest.mark.parametrize("lengths", [(b"1",), (b"3",), (b"02",), (b"2", b"2"), (b"2, 2",), (b"x",), (b"",)])
@pytest.mark.parametrize("response", [False, True])
def test_a_length_that_is_not_the_bodys_is_malformed(lengths: tuple[bytes, ...], response: bool) -> None:  # noqa: FBT001 - a case
    """RFC 9113 section 8.1.1 has the word."""
    pairs = (JSON, *(("content-length", value) for value in lengths))
    expected = Inspection(
        State.MALFORMED, media_type="application/json", size=2, decoded_size=2, digest=digest(b"{}"), raw=b"{}"
    )
    head = _response(*pairs) if response else _headers(*pairs)
    assert inspect(head, held(b"{}"), LIMITS) == expected


def test_the_length_of_the_body_is_no_contradiction() -> None:
    assert inspect(_headers(JSON, ("content-length", b"2")), held(b"{}"), LIMITS).state is State.COMPLETE


@pytest.mark.parametrize("types", [(b"json",), (b"application/json", b"application/json"), (b"",)])
def test_an_unreadable_or_repeated_content_type_is_a_mismatch(types: tuple[bytes, ...]) -> None:
    head = _headers(*(("content-type", value) for value in types))
    expected = Inspection(State.TYPE_MISMATCH, size=2, decoded_size=2, digest=digest(b"{}"), raw=b"{}")
    assert inspect(head, held(b"{}"), LIMITS) == expected


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
    seen = inspect(_headers(("content-type", declared)), held(data), LIMITS)
    assert (seen.state, seen.raw, seen.parsed, seen.text, seen.decoded_size) == (state, data, None, None, len(data))


def test_a_form_and_a_text_and_sniffed_json_are_complete() -> None:
    form = inspect(_headers(("content-type", b"application/x-www-form-urlencoded")), held(b"a=1"), LIMITS)
    text = inspect(_headers(("content-type", b"text/plain")), held(b"a=1"), LIMITS)
    sniffed = inspect(_headers(), held(b"[1]"), LIMITS)
    assert (form.state, form.parsed, form.text, form.sniffed) == (State.COMPLETE, b'{"a":["1"]}', None, False)
    assert (text.state, text.parsed, text.text, text.sniffed) == (State.COMPLETE, None, "a=1", False)
    assert (sniffed.state, sniffed.parsed, sniffed.text, sniffed.sniffed) == (State.COMPLETE, b"[1]", None, True)


def test_a_piece_of_a_response_is_partial_even_where_it_parses() -> None:
    expected = Inspection(
        State.PARTIAL, media_type="application/json", size=2, decoded_size=2, digest=digest(b"{}"), raw=b"{}"
    )
    assert inspect(_response(JSON, status=b"206"), held(b"{}"), LIMITS) == expected


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
    assert inspect(head, held(*chunks), LIMITS) == inspect(head, held(data), LIMITS)
