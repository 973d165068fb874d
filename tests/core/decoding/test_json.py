import json
import re

import pytest
from core.decoding.depth import depth
from hypothesis import example, given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import JSON
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch, Undecodable

LIMITS = Limits(depth=4)
MEDIA = MediaType("application/json")


def _accepts(data: bytes) -> bool:
    try:
        return decode(data, MEDIA, LIMITS) == Decoded(parsed=data)
    except Malformed:
        return False


# ---------------------------------------------------------------- a second reader, slow and obvious


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _number(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")} or re.search(r"[eE][+-]?\d{4}|\d{1100}", text):
        raise ValueError
    return number


def _no_constant(_: str) -> float:
    raise ValueError


def _reference(data: bytes) -> bool:
    try:
        value = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_float=_number,
            parse_int=_number,
            parse_constant=_no_constant,
        )
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
    except ValueError:
        return False
    return depth(value) <= LIMITS.depth


_VALUES: st.SearchStrategy[JSON] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
_TOKENS = [
    *'{}[],: \t\n\r"\\',
    *("true", "false", "null", "NaN", "-Infinity", "nul"),
    *('"a"', '"\\u0061"', '"\\\\"', '"\\""', '"\\\\\\""', '"[:{"', '"\\ud800"', '"\\ud83d\\ude00"', '"\\x"', '"é"'),
    *("0", "-0", "01", "1.", ".5", "-", "1.5", "1e5", "1e400", "-1e400", "1e-400", "1E0001", "0e+0000", "9e-0001"),
    *("9" * 309, "1" * 308, "0." + "0" * 1099, "0." + "0" * 1100),
    *("\ufeff", "\x00", "\x0c", "\u00a0", "/**/", '"a":1', '"b":[]', ',"a":{}'),
]


@given(_VALUES, st.sampled_from([None, 1]))
def test_what_a_json_writer_writes_is_accepted_within_the_depth(value: JSON, indent: int | None) -> None:
    for text in (json.dumps(value, indent=indent), json.dumps(value, ensure_ascii=False)):
        data = text.encode()
        assert _accepts(data) == _reference(data)


@given(st.lists(st.sampled_from(_TOKENS), max_size=12).map("".join))
@example('{"a":1,"\\u0061":2}')
@example('{"\\\\":1,"\\"":2,"\\\\\\"":3}')
@example('[{"a":{"b":1,"a":":"}},{"a":1}]')
@example('{"a":"\\u0022:","a":"\\u0022:"}')
@example('{"a" :1,"a":":"}')
@example("[[[[[1]]]]]")
@example("[[[[1]]]]")
def test_a_soup_of_tokens_is_accepted_exactly_where_a_second_strict_reader_accepts_it(text: str) -> None:
    data = text.encode()
    assert _accepts(data) == _reference(data)


@given(_VALUES, st.data())
def test_one_changed_byte_is_judged_as_a_second_strict_reader_judges_it(value: JSON, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value).encode())
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    assert _accepts(bytes(text)) == _reference(bytes(text))


# ---------------------------------------------------------------- rule by rule


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" ",
        b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-be"),
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"x":{"a":1,"b":2,"a":3}}]',
        b'{"":1,"":2}',
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"-1e400",
        b"9" * 309,
        b"0e9999",
        b"1e-0001",
        b"1E+0001",
        b"0." + b"0" * 1_100,
        b'"\\ud800"',
        b'"\\ude00\\ud83d"',
        b'{"a":1}{"b":2}',
        b"{}x",
        b"[1,]",
        b"[[[[[]]]]]",
        b'[{"a":[{"b":{}}]}]',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"[" * 500 + b"]" * 500,
    ],
)
def test_a_text_that_two_readers_may_take_differently_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b' "a" ',
        b"0",
        b"-0.0",
        b"1e-789",
        b"1e+308",
        b"12345678901234567890123456789012345678901234567890",
        b'[{"a":[{"b":1}]}]',
        b'"' + b"[" * 100 + b'"',
        b'"1e0000 ' + b"1" * 2_000 + b'"',
        b'{"a:b":1,"\\":":2,":":3}',
        b'["\\\\","[[[[[","\\\\\\"[[[[["]',
        b'[{"a":1},{"a":1}]',
        b'{"a":1,"A":1}',
        b'{"\\u00e9":1,"e\\u0301":1}',
        b'"\\u0000\\ud83d\\ude00"',
        b'"\xf0\x9f\x98\x80"',
    ],
)
def test_a_text_that_reads_in_one_way_is_handed_on_as_its_very_bytes(data: bytes) -> None:
    assert decode(data, MEDIA, LIMITS).parsed is data


def test_many_names_in_one_object_are_read() -> None:
    members = ",".join(f'"{number}":{number}' for number in range(20_000))
    assert _accepts(f"{{{members}}}".encode())
    assert not _accepts(f'{{{members},"19999":0}}'.encode())


def test_a_depth_beyond_what_the_second_look_can_write_is_malformed_whatever_the_limit() -> None:
    deep = Limits(depth=1_000)
    assert decode(b"[" * 250 + b"]" * 250, MEDIA, deep).parsed
    with pytest.raises(Malformed):
        decode(b"[" * 251 + b"]" * 251, MEDIA, deep)


@pytest.mark.parametrize("piece", [b"1,", b"[],", b'{"a":1},'])
def test_a_tree_of_very_many_values_is_not_built(piece: bytes) -> None:
    few = Limits(values=100)
    assert decode(b"[" + piece * 30 + b"1]", MEDIA, few).parsed
    with pytest.raises(Malformed, match="too many values"):
        decode(b"[" + piece * 100 + b"1]", MEDIA, few)


def test_an_object_is_a_value_beside_the_commas() -> None:
    assert decode(b'{"a":{}}', MEDIA, Limits(values=2)).parsed
    with pytest.raises(Malformed, match="too many values"):
        decode(b'{"a":{"b":{}}}', MEDIA, Limits(values=2))


@pytest.mark.parametrize(
    ("pieces", "passes"), [(b"[]" * 49, True), (b"[]" * 50, False), (b"{}" * 24, True), (b"{}" * 25, False)]
)
def test_lists_and_objects_that_cost_more_than_their_bytes_may_are_malformed(pieces: bytes, *, passes: bool) -> None:
    few = Limits(containers=50)
    data = b"[" + pieces.replace(b"][", b"],[").replace(b"}{", b"},{") + b"]"
    if passes:
        assert decode(data, MEDIA, few).parsed
    else:
        with pytest.raises(Malformed, match="lists and objects"):
            decode(data, MEDIA, few)


def test_a_longer_text_may_have_a_list_for_each_four_bytes_and_an_object_for_each_eight() -> None:
    none = Limits(containers=0)
    assert decode(b"[1,[1], [1], [1]]", MEDIA, none).parsed  # 17 bytes
    assert decode(b'{"a":{"b":{"c":1}}}' + b" " * 5, MEDIA, none).parsed  # 24 bytes
    for text in (b"[1,[1],[1],[1]]", b'{"a":{"b":{"c":1}}}' + b" " * 4):
        with pytest.raises(Malformed, match="lists and objects"):
            decode(text, MEDIA, none)


@pytest.mark.parametrize("name", ["image/png", "application/octet-stream", "application/grpc-web", "multipart/mixed"])
def test_json_under_a_type_without_a_parser_contradicts_it(name: str) -> None:
    assert decode(b"[1", MediaType(name), LIMITS) == Decoded()
    for text in (b'{"a": 1}', b" [1]\n", b'{"a": 1, "a": 2}'):
        with pytest.raises(TypeMismatch):
            decode(text, MediaType(name), LIMITS)
    with pytest.raises(Malformed):
        decode(b"[" * 200, MediaType(name), Limits(values=100))


@pytest.mark.parametrize("name", ["application/json", "text/json", "application/vnd.api+json", "model/gltf+json"])
def test_every_json_type_has_the_strict_reader(name: str) -> None:
    assert decode(b"[1]", MediaType(name), LIMITS) == Decoded(parsed=b"[1]")
    with pytest.raises(Malformed):
        decode(b"x", MediaType(name), LIMITS)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8"])
def test_json_may_name_the_only_charset_it_has(charset: str) -> None:
    assert decode(b"[1]", MediaType("application/json", {"charset": charset}), LIMITS) == Decoded(parsed=b"[1]")


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "us-ascii", "x"])
def test_json_in_another_charset_is_undecodable(charset: str) -> None:
    with pytest.raises(Undecodable):
        decode(b"[1]", MediaType("application/json", {"charset": charset}), LIMITS)
