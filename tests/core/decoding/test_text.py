import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode, parser_for
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.inspection import State
from extproc.core.rules import Limits
from extproc.errors import BodyError, Malformed, TypeMismatch, Undecodable

LIMITS = Limits(depth=4)
TEXTS = [
    "text/plain",
    "text/css",
    "text/csv",
    "text/html",
    "text/javascript",
    "text/markdown",
    "text/tab-separated-values",
]


def _media(name: str, charset: str = "") -> MediaType:
    return MediaType(name, {"charset": charset} if charset else {})


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("", b"\xc3\xa9", "é"),
        ("UTF-8", b"\xc3\xa9", "é"),
        ("utf8", b"\xc3\xa9", "é"),
        ("us-ascii", b"e\x00", "e\0"),
        ("ISO-8859-1", b"\xe9", "é"),
        ("latin1", b"\xe9", "é"),
        ("windows-1252", b"\x80\xe9", "€é"),
        ("CP1252", b"\x99", "™"),
        ("utf-16", b"\xff\xfee\0", "e"),
        ("utf-16", b"\xfe\xff\0e", "e"),
        ("utf-16le", b"\xac\x20", "€"),
        ("utf-16be", b"\x20\xac", "€"),
        ("", b"\xef\xbb\xbfe", "\ufeffe"),
    ],
)
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_decoded_by_its_charset(name: str, charset: str, data: bytes, text: str) -> None:
    assert decode(data, _media(name, charset), LIMITS) == Decoded(text=text)


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("", b"\xe9"),
        ("utf-8", b"\xed\xa0\x80"),
        ("utf-8", b"\xff\xfee\0"),
        ("us-ascii", b"\xc3\xa9"),
        ("utf-7", b"+AGE-"),
        ("utf-32", b"\xff\xfe\0\0e\0\0\0"),
        ("iso-8859-1", b"\x80"),
        ("iso-8859-1", b"\xff\xfee\0"),
        ("iso-8859-15", b"e"),
        ("windows-1252", b"\x81"),
        ("windows-1252", b"\xef\xbb\xbfe"),
        ("us-ascii", b"\xef\xbb\xbfe"),
        ("utf-16", b"a\0"),
        ("utf-16", b"\xff\xfee"),
        ("utf-16", b"\xff\xfe\x00\xd8"),
        ("utf-16le", b"\xff\xfee\0"),
        ("utf-16be", b"\xff\xfee\0"),
    ],
)
@pytest.mark.parametrize("name", ["text/plain", "text/html"])
def test_an_unknown_charset_and_bytes_that_break_it_are_undecodable(name: str, charset: str, data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(data, _media(name, charset), LIMITS)


@pytest.mark.parametrize("name", ["", "text/plain"])
@pytest.mark.parametrize("data", [b'{"a":1}', b" \t\r\n[1]\n", b"{}"])
def test_json_that_does_not_say_so_is_parsed(name: str, data: bytes) -> None:
    assert decode(data, _media(name), LIMITS) == Decoded(parsed=data, sniffed=True)


@pytest.mark.parametrize("name", ["", "text/plain"])
@pytest.mark.parametrize("data", [b'{"a":1,"a":2}', b"[[[[[]]]]]", b"[1e0001]"])
def test_json_that_does_not_say_so_has_to_keep_the_rules(name: str, data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, _media(name), LIMITS)


@pytest.mark.parametrize("data", [b"1", b'"a"', b"null", b"[INFO] x", b"[2026-01-02] x", b"{a}", b"{", b"[[a]]", b"/*"])
def test_what_no_reader_takes_for_an_object_or_array_stays_what_it_is(data: bytes) -> None:
    assert decode(data, _media("text/plain"), LIMITS) == Decoded(text=data.decode())
    assert decode(data, _media(""), LIMITS) == Decoded()


def test_json_in_a_text_of_another_charset_is_undecodable_unless_it_is_ascii() -> None:
    latin = _media("text/plain", "iso-8859-1")
    assert decode(b'["e"]', latin, LIMITS) == Decoded(parsed=b'["e"]', sniffed=True)
    with pytest.raises(Undecodable):
        decode('["é"]'.encode(), latin, LIMITS)
    with pytest.raises(Undecodable):
        decode(b'["\xe9"]', latin, LIMITS)
    with pytest.raises(Undecodable):
        decode('{"a":1}'.encode("utf-16"), _media("text/plain", "utf-16"), LIMITS)
    assert decode("{a".encode("utf-16"), _media("text/plain", "utf-16"), LIMITS) == Decoded(text="{a")
    with pytest.raises(Undecodable):
        decode('{"a":1}'.encode("utf-16-le"), _media("text/plain", "utf-16le"), LIMITS)


@pytest.mark.parametrize("name", ["", "text/plain"])
def test_json_after_a_byte_order_mark_is_malformed_as_it_is_under_its_own_type(name: str) -> None:
    with pytest.raises(Malformed):
        decode(b'\xef\xbb\xbf{"a":1}', _media(name), LIMITS)


@pytest.mark.parametrize("name", TEXTS[1:])
def test_json_under_another_textual_type_contradicts_it(name: str) -> None:
    with pytest.raises(TypeMismatch):
        decode(b'{"a":1,"a":1}', _media(name), LIMITS)
    with pytest.raises(TypeMismatch):
        decode(b'\xef\xbb\xbf{"a":1}', _media(name), LIMITS)
    with pytest.raises(TypeMismatch):
        decode('["é"]'.encode("utf-16"), _media(name, "utf-16"), LIMITS)
    with pytest.raises(TypeMismatch):  # to a reader that skips what is white space once the charset is undone
        decode(b'\xa0{"a":1}', _media(name, "iso-8859-1"), LIMITS)


@pytest.mark.parametrize(
    "name",
    [
        "application/octet-stream+x",
        "application/octet-stream",
        "image/png",
        "x/y",
        "text/yaml",
        "text/calendar",
        "text/x",
        "text/",
    ],
)
def test_a_type_without_a_parser_is_opaque(name: str) -> None:
    assert parser_for(name) is None
    assert decode(b"\xff", _media(name), LIMITS).state is State.OPAQUE


_TYPES = ["", "application/json", "a/b+json", "application/x-www-form-urlencoded", "text/plain", "text/html", "x/y"]
_TYPES += ["text/yaml", "application/x-ndjson", "application/grpc", "application/xml", "application/graphql"]


@given(
    st.binary(max_size=40) | st.text('{}[]":,%=&\\u0129 <>/.!\n', max_size=20).map(str.encode),
    st.sampled_from(_TYPES),
    st.sampled_from(["", "utf-8", "iso-8859-1", "us-ascii", "utf-16", "?"]),
)
def test_no_bytes_of_any_type_raise_anything_but_a_body_error(data: bytes, name: str, charset: str) -> None:
    try:
        decoded = decode(data, _media(name, charset), LIMITS)
    except BodyError:
        return
    assert decoded.state in {State.COMPLETE, State.OPAQUE}


@pytest.mark.parametrize("data", [b'{"a":1}', b"{a: 1}"])
def test_a_text_that_is_data_to_somebody_and_not_to_us_is_no_json_either(data: bytes) -> None:
    with pytest.raises(TypeMismatch):
        decode(data, _media("text/yaml"), LIMITS)
