from hashlib import sha256

import orjson
import pytest

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch, Undecodable

MEDIA = MediaType("multipart/form-data", {"boundary": "XX"})
LIMITS = Limits(parts=3)
FIELD = b'Content-Disposition: form-data; name="a"'


def _part(header: bytes = FIELD, content: bytes = b"1") -> bytes:
    return b"--XX\r\n" + header + b"\r\n\r\n" + content + b"\r\n"


def _body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--XX--\r\n"


def _file(filename: str, content_type: str, content: bytes) -> dict[str, object]:
    return {
        "filename": filename,
        "content_type": content_type,
        "size": len(content),
        "sha256": sha256(content).hexdigest(),
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (_body(_part(), _part(content=b"\r\n--\r\n--y\n"), _part(b'content-disposition:form-data;name="b"', b"")),
         {"a": ["1", "\r\n--\r\n--y\n"], "b": [""]}),
        (_body(_part()).removesuffix(b"\r\n"), {"a": ["1"]}),
        (b"--XX--\r\n", {}),
        (_body(_part(b"Content-Disposition: form-data; name=a")), {"a": ["1"]}),
        (_body(_part('Content-Disposition: form-data; name="é;b, c=d%"'.encode())), {"é;b, c=d%": ["1"]}),
        (_body(_part(FIELD + b"\r\nContent-Type: text/plain; charset=UTF-8", "é".encode())), {"a": ["é"]}),
        (_body(_part(FIELD + b"\r\nContent-Type: application/json", b'{"\\u0061":1}')), {"a": ['{"\\u0061":1}']}),
        (_body(_part(FIELD + b"\r\nContent-Transfer-Encoding: 8bit\r\nContent-Length: 1")), {"a": ["1"]}),
        (_body(_part(b'Content-Disposition: form-data; name="_charset_"', b"UTF-8")), {"_charset_": ["UTF-8"]}),
        (_body(_part(FIELD + b'; filename="b.png"\r\nContent-Type: Image/PNG; q=1', b"\xff\r\n\0")),
         {"a": [_file("b.png", "image/png", b"\xff\r\n\0")]}),
        (_body(_part(b'Content-Disposition: Form-Data; Name="a"; Filename=b', b"")), {"a": [_file("b", "", b"")]}),
        (_body(_part(FIELD + b'; filename=""\r\nContent-Type: application/octet-stream', b"")),
         {"a": [_file("", "application/octet-stream", b"")]}),
        (_body(_part(FIELD + b"; filename=\"\xc3\xa9 b\"; filename*=utf-8''%C3%A9%20b")),
         {"a": [_file("é b", "", b"1")]}),
        (_body(_part(), _part(FIELD + b"; filename=b")), {"a": ["1", _file("b", "", b"1")]}),
        (_body(_part(FIELD + b'; filename="R&D; (1) = 100% ~x: ...tar.gz"')),
         {"a": [_file("R&D; (1) = 100% ~x: ...tar.gz", "", b"1")]}),
        (_body(_part(FIELD + b'; filename="' + "é".encode() * 255 + b'"')), {"a": [_file("é" * 255, "", b"1")]}),
    ],
)  # fmt: skip
def test_a_form_is_every_field_and_every_file_of_every_name_in_order(data: bytes, expected: dict[str, object]) -> None:
    assert decode(data, MEDIA, LIMITS) == Decoded(parsed=orjson.dumps(expected))


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"--XX",
        b"--XX-",
        b"--XX\r\n",
        b"\r\n" + _body(_part()),
        b"preamble\r\n" + _body(_part()),
        _body(_part()) + b"epilogue",
        _body(_part()) + b"\r\n",
        _body(_part()) + _body(_part()),
        _part(),
        _part() + b"--XX-\r\n",
        _part() + b"--XX--\n",
        _body(_part()).replace(b"\r\n", b"\n"),
        _body(_part()).replace(b"\r\n", b"\r"),
        _body(_part()).replace(b"--XX\r\n", b"--XX \r\n"),
        _body(_part(content=b"1\n--XX\nb")),
        _body(_part(content=b"1\n--XX\r\nb")),
        _body(_part(content=b"1\r--XX\r\nb")),
        _body(_part(content=b"1\r\n--XXy\r\nb")),
        _body(_part(content=b"1--XX2")),
        _body(b"--XX\r\n\r\n1\r\n"),
        _body(b"--XX\r\n" + FIELD + b"\r\n\r\n"),
        _body(b"--XX\r\n" + FIELD + b"\r\n"),
        _body(b"--XX\r\n"),
        _body(b"--XX\r\n\r\n"),
    ],
)
def test_a_boundary_is_a_line_of_its_own_and_nothing_lies_outside_of_them(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize(
    "header",
    [
        b"X: y",
        FIELD + b"\r\nX: y",
        FIELD + b"\r\nContent-Disposition: form-data; name=b",
        FIELD + b"\r\ncontent-type: a/b\r\nContent-Type: a/b",
        FIELD + b"\nContent-Type: a/b",
        FIELD + b"\rContent-Type: a/b",
        FIELD + b"\r\n Content-Type: a/b",
        FIELD + b"\r\n\t; filename=b",
        FIELD + b"\r\nno field",
        FIELD + b"\r\nContent-Type:",
        FIELD + b"\r\nContent-Type: json",
        FIELD + b"\r\nContent-Type: multipart/mixed; boundary=y",
        FIELD + b"\r\nContent-Type: text/plain; charset*=us-ascii''iso-8859-1",
        FIELD + b"\r\nContent-Type: text/plain; charset*0=iso-8859; charset*1=-1",
        FIELD + b"\r\nContent-Transfer-Encoding: base64",
        FIELD + b"\r\nContent-Transfer-Encoding: quoted-printable",
        FIELD + b"\r\nContent-Transfer-Encoding:",
        FIELD + b"\r\nContent-Length: 0",
        FIELD + b"\r\nContent-Length: 01",
        FIELD.replace(b":", b" :"),
        FIELD.replace(b'"a"', b'"a\0b"'),
        FIELD.replace(b'"a"', b'"a\tb"'),
        FIELD.replace(b'"a"', b'"a\x7fb"'),
        FIELD.replace(b'"a"', b'"a\\"b"'),
        FIELD.replace(b'"a"', b'"a\\b"'),
        FIELD.replace(b'"a"', b'"\xe9"'),
        FIELD.replace(b'"a"', b'"a'),
        FIELD.replace(b'"a"', b'"a"b'),
        FIELD.replace(b'"a"', b"'a'"),
        FIELD.replace(b'"a"', b'""'),
        FIELD.replace(b'"a"', b'"x; filename=b"'),
        FIELD.replace(b'"a"', b'"x; name =b"'),
        FIELD.replace(b"name=", b"name ="),
        FIELD.replace(b"name=", b"name*=utf-8''"),
        FIELD.replace(b"form-data", b"attachment"),
        b"Content-Disposition: form-data",
        b"Content-Disposition: form-data; filename=b",
        FIELD + b";",
        FIELD + b" ",
        FIELD.replace(b'"a"', b"a "),
        FIELD + b"; filename=b ",
        FIELD.replace(b"; name", b'; filename="b.png"; name'),
        FIELD + b"; filename*=utf-8''b; filename=b",
        FIELD + b"\r\nContent-Type: application/octet-stream",
        FIELD + b"\r\nContent-Type: Application/Octet-Stream; charset=utf-8",
        FIELD + b"; x=y",
        FIELD + b'; name="a"',
        FIELD + b"; NAME=b",
        FIELD + b"; filename=b; filename=b",
        FIELD + b'; filename="\xff"',
        FIELD + b'; filename=""',
        FIELD + b"; filename*=utf-8''b",
        FIELD + b"; filename=b; filename*=utf-8''c",
        FIELD + b"; filename=b; filename*=utf-8'en'b",
        FIELD + b"; filename=b; filename*=iso-8859-1''b",
        FIELD + b"; filename=b; filename*=utf-8''b%",
        FIELD + b"; filename*0=b; filename*1=c",
        FIELD + b'\r\nContent-Type: a/b; c="\xff"',
        FIELD + b"\r\nContent-Type: a/b" + b" " * 1000,
    ],
)
def test_a_header_that_two_readers_may_take_differently_is_malformed(header: bytes) -> None:
    with pytest.raises(Malformed):
        decode(_body(_part(header)), MEDIA, LIMITS)


def test_a_header_has_at_most_1020_bytes() -> None:
    header = (FIELD + b"\r\nContent-Type: a/b").ljust(1_020)
    assert decode(_body(_part(header)), MEDIA, LIMITS).parsed
    with pytest.raises(Malformed):
        decode(_body(_part(header + b" ")), MEDIA, LIMITS)


def test_a_field_is_utf8_and_a_file_any_bytes() -> None:
    assert decode(_body(_part(FIELD + b"; filename=b", b"\xff")), MEDIA, LIMITS).parsed
    with pytest.raises(Malformed):
        decode(_body(_part(content=b"\xff")), MEDIA, LIMITS)


def test_a_field_that_says_to_be_ascii_is() -> None:
    """Beyond it Werkzeug reads replacement characters, and busboy windows-1252."""
    header = FIELD + b"\r\nContent-Type: text/plain; charset=US-ASCII"
    assert decode(_body(_part(header, b"e")), MEDIA, LIMITS).parsed == b'{"a":["e"]}'
    with pytest.raises(Malformed):
        decode(_body(_part(header, "é".encode())), MEDIA, LIMITS)


@pytest.mark.parametrize(
    ("charset", "part"),
    [
        ("iso-8859-1", _part()),
        ("", _part(FIELD + b"\r\nContent-Type: text/plain; charset=iso-8859-1")),
        ("", _part(FIELD.replace(b'"a"', b"_charset_"), b"iso-8859-1")),
    ],
)
def test_another_charset_is_undecodable_wherever_it_is_declared(charset: str, part: bytes) -> None:
    media = MediaType(MEDIA.name, {"boundary": "XX", "charset": charset})
    with pytest.raises(Undecodable):
        decode(_body(part), media, LIMITS)


def test_the_charset_of_a_file_is_its_own() -> None:
    part = _part(FIELD + b"; filename=b\r\nContent-Type: text/plain; charset=iso-8859-1", b"\xe9")
    assert decode(_body(part), MEDIA, LIMITS).parsed


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"boundary": ""},
        {"boundary": "x "},
        {"boundary": "x y"},
        {"boundary": "x;y"},
        {"boundary": "é"},
        {"boundary": "XX" * 71},
        {"boundary": "XX", "boundary*": "utf-8''y"},
        {"boundary": "XX", "boundary*0": "y"},
        {"boundary": "XX", "a": "; boundary=y"},
    ],
)
def test_a_boundary_that_not_every_reader_finds_is_malformed(parameters: dict[str, str]) -> None:
    data = _body(_part()).replace(b"XX", parameters.get("boundary", "").encode())
    with pytest.raises(Malformed):
        decode(data, MediaType(MEDIA.name, parameters), LIMITS)


@pytest.mark.parametrize("boundary", ["x" * 70, "----1", "'()+_,./:=?-x", "==1=="])
def test_every_boundary_of_the_standard_but_one_with_spaces_is_taken(boundary: str) -> None:
    data = _body(_part()).replace(b"--XX", b"--" + boundary.encode())
    media = MediaType(MEDIA.name, {"boundary": boundary, "charset": "utf-8"})
    assert decode(data, media, LIMITS) == Decoded(parsed=b'{"a":["1"]}')


def test_as_many_parts_as_the_limit_are_read_and_one_more_is_malformed() -> None:
    assert decode(_body(*[_part()] * 3), MEDIA, LIMITS) == Decoded(parsed=b'{"a":["1","1","1"]}')
    with pytest.raises(Malformed):
        decode(_body(*[_part()] * 4), MEDIA, LIMITS)


def test_a_json_object_or_array_is_no_multipart() -> None:
    with pytest.raises(TypeMismatch):
        decode(b'{"a":1}', MEDIA, LIMITS)
