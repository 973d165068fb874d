import json
from itertools import pairwise

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import JSON
from extproc.core.rules import Limits
from extproc.errors import Malformed, Undecodable

MEDIA = MediaType("application/x-ndjson")
LIMITS = Limits(depth=2)


@pytest.mark.parametrize(
    ("data", "parsed"),
    [
        (b'{"a":1.10}\n[2]\n', b'[{"a":1.10},[2]]'),
        (b"1\n2", b"[1,2]"),
        (b"1", b"[1]"),
        (b"1\r\n 2 \r\n", b"[1\r, 2 \r]"),
        (b'"\xe2\x80\xa8"\n', b'["\xe2\x80\xa8"]'),
        (b'{"a":1}\n{"a":1}', b'[{"a":1},{"a":1}]'),
        (b"[[1]]\n[[2]]\n", b"[[[1]],[[2]]]"),
    ],
)
def test_the_lines_are_a_list_of_their_very_bytes(data: bytes, parsed: bytes) -> None:
    assert decode(data, MEDIA, LIMITS) == Decoded(parsed=parsed)


@pytest.mark.parametrize(
    "data",
    [
        b"\n",
        b"\n1",
        b"1\n\n",
        b"1\n\n2\n",
        b"1\n \n2\n",
        b"1\r\n\r\n2",
        b"1\r2\n",
        b"[1,\r2]\n",
        b"\r1\n",
        b"1 2\n",
        b"1,2\n",
        b"[1\n,2]\n",
        b"[1\n2],3\n4\n",
        b'"a\nb"\n',
        b"x\n",
        b"1e400\n",
        b'{"a":1,"a":2}\n',
        b'{"a":1}\n{"b":1,"\\u0062":2}\n',
        b"[[[1]]]\n",
        b"\xef\xbb\xbf1\n",
        b'"\xff"\n',
        b"1\x1e2",
    ],
)
def test_lines_that_two_readers_may_take_differently_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


def test_lines_in_another_charset_are_undecodable() -> None:
    assert decode(b"1", MediaType(MEDIA.name, {"charset": "UTF-8"}), LIMITS) == Decoded(parsed=b"[1]")
    with pytest.raises(Undecodable):
        decode(b"1", MediaType(MEDIA.name, {"charset": "utf-16"}), LIMITS)


@pytest.mark.parametrize(
    "name",
    [
        "application/ndjson",
        "application/x-ndjson",
        "application/jsonl",
        "application/jsonlines",
        "application/x-jsonlines",
    ],
)
def test_every_name_of_the_format_is_read(name: str) -> None:
    assert decode(b"1\n2\n", MediaType(name), LIMITS) == Decoded(parsed=b"[1,2]")


_VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(_VALUES, min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_what_a_writer_writes_line_by_line_is_what_is_read(values: list[JSON], end: str) -> None:
    data = "".join(json.dumps(value) + end for value in values).encode()
    parsed = decode(data, MEDIA, Limits()).parsed
    assert parsed is not None
    assert orjson.loads(parsed) == values


@given(st.lists(_VALUES, min_size=2, max_size=4), st.lists(st.integers(0, 40), max_size=4))
def test_no_line_ends_inside_of_a_value_are_joined(values: list[JSON], cuts: list[int]) -> None:
    """Cut anywhere: either each line is a value, as a reader line by line finds, or nothing is read."""
    text = json.dumps(values)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    lines = [text[start:end] for start, end in pairwise(edges)]
    try:
        expected = [json.loads(line) for line in lines]
    except ValueError:
        with pytest.raises(Malformed):
            decode("\n".join(lines).encode() + b"\n", MEDIA, Limits())
    else:
        parsed = decode("\n".join(lines).encode(), MEDIA, Limits()).parsed
        assert parsed is not None
        assert orjson.loads(parsed) == expected


@pytest.mark.parametrize("line", [b"1\n", b"[1]\n", b'{"a":1,"b":2}\n'])
def test_very_many_values_are_not_built(line: bytes) -> None:
    few = Limits(values=100)
    assert decode(line * 30, MEDIA, few).parsed
    with pytest.raises(Malformed, match="too many values"):
        decode(line * 101, MEDIA, few)


def test_very_many_lines_are_not_read_one_by_one() -> None:
    few = Limits(containers=50)
    assert decode(b"1\n" * 50, MEDIA, few).parsed
    with pytest.raises(Malformed, match="lists and objects"):
        decode(b"1\n" * 51, MEDIA, few)
