import pytest

from extproc.core.decoding.media_type import MediaType, declared
from extproc.core.headers import HeaderMap


def _read(*values: bytes) -> MediaType | None:
    return declared(HeaderMap(tuple(("content-type", value) for value in values)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"application/json", MediaType("application/json")),
        (b"Application/JSON", MediaType("application/json")),
        (b"\t text/plain \t", MediaType("text/plain")),
        (b"application/vnd.a-b+json", MediaType("application/vnd.a-b+json")),
        (b"text/plain;charset=UTF-8", MediaType("text/plain", {"charset": "UTF-8"})),
        (b'text/plain ;\tCharset="utf-8"', MediaType("text/plain", {"charset": "utf-8"})),
        (b"text/plain ; charset=a ; ", MediaType("text/plain", {"charset": "a"})),
        (b"text/plain;", MediaType("text/plain")),
        (b'a/b;x="; y=z, ";y=1', MediaType("a/b", {"x": "; y=z, ", "y": "1"})),
        (b'a/b;x=""', MediaType("a/b", {"x": ""})),
        (b'a/b;x="\xe9"', MediaType("a/b", {"x": "é"})),
        (b'*/*;x=*;y="*"', MediaType("*/*", {"x": "*", "y": "*"})),
    ],
)
def test_a_media_type_is_read_as_the_standard_writes_it(value: bytes, expected: MediaType) -> None:
    assert _read(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"json",
        b"application/",
        b"/json",
        b"application /json",
        b"application/json, text/plain",
        b"application/json;charset",
        b"application/json;;",
        b"application/json;;charset=utf-8",
        b"application/json; ; charset=utf-8",
        b"application/json;charset=utf-8;;",
        b"application/json;charset=",
        b'application/json;charset="utf\\-8"',
        b'multipart/form-data;boundary="a\\"b"',
        b"application/json;charset =utf-8",
        b'application/json;charset="utf-8',
        b'application/json;charset="utf-8"x',
        b"application/json;charset=utf-8;CHARSET=utf-8",
        b"application/json;charset=utf-8;charset=iso-8859-1",
        b"application/json;charset*=us-ascii''utf-7",
        b"application/json;charset*0=utf;charset*1=-7",
        b"application/json;charset=utf-8;CHARSET*=us-ascii''utf-7",
        b"application/json;charset*=us-ascii''utf-7;charset=utf-8",
        b"multipart/form-data;boundary=x;boundary*0=y",
        b"application/json;a*b=c",
        b"application/json;*=c",
        b"application/json charset=utf-8",
        b"application/json\x00",
        b"application/json\n",
        b"\xe9/json",
        b"*/*;\x7f",
    ],
)
def test_anything_looser_is_no_media_type(value: bytes) -> None:
    assert _read(value) is None


def test_a_repeated_header_declares_no_single_type() -> None:
    assert _read(b"text/plain", b"text/plain") is None


def test_no_header_is_the_nameless_type() -> None:
    assert _read() == MediaType()


def test_the_charset_is_lower_case_and_empty_where_none_is_declared() -> None:
    assert MediaType("a/b", {"charset": "UTF-8"}).charset == "utf-8"
    assert MediaType("a/b").charset == ""


def test_a_hostile_header_costs_linear_time() -> None:
    assert _read(b"a/b" + b"; \t " * 20_000 + b"(") is None
    assert _read(b"a/b" + b"\t " * 20_000 + b"(") is None
    assert _read(b'a/b;x="' + b"\\a" * 20_000) is None
