"""libopa's reader against the server's own, which looks at every body before."""

from collections.abc import Iterator

import pytest
from engines.reading import Reader, accepted_by_the_server, exact, reader
from hypothesis import given
from hypothesis import strategies as st

SEEDS = (
    b'{"a":[1.5e3,"\\ud83d\\ude00",null,true,{"b":-0}],"c":{"a":1,"d":"\xc3\xa9\\n"}}',
    b'[[],{},"",0,-1,1e-7,10000000000000000000000001,1.10,"\\u0000\\/"]',
    b' {"x" : {"y" : [ ] } , "x\\u0079" : false }\r\n\t',
)
FRAGMENTS = (b'"', b"\\", b"\\u", b"\\ud800", b"d83d", b"e", b"E+999", b"-", b".", b"0", b"00", b",", b":", b"[", b"]")
MORE = (
    b"{",
    b"}",
    b'"a":1,',
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc3",
    b"\xef\xbb\xbf",
    b"\x00",
    b"\x1f",
    b" ",
    b"null",
    b"NaN",
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A JSON text after a few cuts and insertions."""
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        piece = draw(st.one_of(st.sampled_from(FRAGMENTS + MORE), st.binary(max_size=2)))
        text = text[:start] + piece + text[end:]
    return text


@pytest.fixture(scope="module")
def echo() -> Iterator[Reader]:
    with reader() as running:
        yield running


@given(texts=st.lists(mutated(), min_size=20, max_size=20))
def test_both_readers_accept_the_same_texts_and_see_the_same_values(echo: Reader, texts: list[bytes]) -> None:
    for text, seen in zip(texts, echo.read(texts), strict=True):
        assert (seen is not None) == accepted_by_the_server(text)
        assert seen is None or exact(seen) == exact(text)
