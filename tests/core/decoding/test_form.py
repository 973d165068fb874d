from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch, Undecodable

MEDIA = MediaType("application/x-www-form-urlencoded")
LIMITS = Limits(fields=4)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a=1&b=2&a=3", {"a": ["1", "3"], "b": ["2"]}),
        (b"a=&b&=c", {"a": [""], "b": [""], "": ["c"]}),
        (b"&&a=1&", {"a": ["1"]}),
        (b"a+b=c+%2B", {"a b": ["c +"]}),
        (b"a=%C3%a9&%c3%A9=", {"a": ["é"], "é": [""]}),
        (b"a=b=c%3Dd=%3d", {"a": ["b=c=d=="]}),
        (b"a=1%3Bb=2", {"a": ["1;b=2"]}),
        (b"a=%00\x00%0d%0A", {"a": ["\0\0\r\n"]}),
        (b"a=%2541%26", {"a": ["%41&"]}),
        (b"a=_%5F =\n%20", {"a": ["__ =\n "]}),
    ],
)
def test_a_form_is_every_value_of_every_name_in_order(data: bytes, expected: dict[str, list[str]]) -> None:
    assert decode(data, MEDIA, LIMITS) == Decoded(parsed=orjson.dumps(expected))


@pytest.mark.parametrize(
    "data",
    [b"a=%", b"a=%4", b"a=%zz", b"%g1=a", b"a=%u0041", b"a=%4%31", b"a=%FF", b"%C3=%A9", b"a=\xff", b"a=%ED%A0%80"],
)
def test_a_bad_escape_and_bad_utf8_are_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize("data", [b"a=\xc3\xa9", b"\xc3\xa9=a", b"a=%C3\xa9", b"a=\xc3%A9", b"a&b=c\xf0\x9f\x98\x80"])
def test_a_byte_beyond_ascii_without_an_escape_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize("data", [b"+a=1", b" a=1", b"b&%20a=1", b"a%00=1", b"a\0b=1", b"+=1"])
def test_a_name_that_php_reads_as_another_is_malformed(data: bytes) -> None:
    """It drops spaces before a name, and all from a NUL on."""
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize("data", [b"a=1;b=2", b";", b"a;=1", b"a=1&b=2;"])
def test_a_semicolon_that_is_not_escaped_is_malformed(data: bytes) -> None:
    """It is text to Django, separates pairs to Rack 2, and to Go makes the pair none."""
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize("data", [b"a=1\n", b"a=1\r\n", b"a=1 ", b"a=1&\t", b"a=1\x0b", b"a\f"])
def test_white_space_at_the_end_that_is_not_escaped_is_malformed(data: bytes) -> None:
    """Aiohttp drops it, others keep it as part of the last value."""
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


def test_as_many_fields_as_the_limit_are_read_and_one_more_is_malformed() -> None:
    assert decode(b"a&a&a&a", MEDIA, LIMITS) == Decoded(parsed=b'{"a":["","","",""]}')
    with pytest.raises(Malformed):
        decode(b"a&a&a&a&a", MEDIA, LIMITS)


@pytest.mark.parametrize("data", [b'{"a":1}', b" [1]", b'{"a":1,"a":2}'])
def test_a_json_object_or_array_is_no_form(data: bytes) -> None:
    with pytest.raises(TypeMismatch):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize("data", [b"[a]=1", b"{", b"1", b'"a"'])
def test_what_only_resembles_json_is_a_form(data: bytes) -> None:
    assert decode(data, MEDIA, LIMITS).parsed


def test_a_form_in_another_charset_is_undecodable() -> None:
    assert decode(b"a", MediaType(MEDIA.name, {"charset": "UTF-8"}), LIMITS) == Decoded(parsed=b'{"a":[""]}')
    with pytest.raises(Undecodable):
        decode(b"a", MediaType(MEDIA.name, {"charset": "shift_jis"}), LIMITS)


@given(st.text("ab&=+%;é 0129AFaf\n\r_", max_size=20))
def test_a_form_reads_as_the_standard_library_reads_it_or_is_refused(text: str) -> None:
    data = text.encode()
    try:
        decoded = decode(data, MEDIA, Limits())
    except Malformed:
        return
    assert decoded == Decoded(parsed=orjson.dumps(parse_qs(text, keep_blank_values=True, errors="strict")))
