"""What some reader takes for JSON though ours does not, under types that do not say so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode, lenient_json
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import BodyError, Malformed, TypeMismatch

LENIENT = {
    "a constant that JSON has not": b'{"role":"admin","n":NaN}',
    "a number beyond a double": b'{"role":"admin","n":1e400}',
    "a lone surrogate": b'{"role":"admin","n":"\\ud800"}',
    "bytes after it": b'{"role":"admin"} x',
    "a second document": b'{"role":"admin"}{"b":1}',
    "a byte order mark": b'\xef\xbb\xbf{"role":"admin"}',
    "UTF-16": '{"role":"admin"}'.encode("utf-16-le"),
    "UTF-16, the other way round": '{"role":"admin"}'.encode("utf-16-be"),
    "UTF-16 with a mark": '{"role":"admin"}'.encode("utf-16"),
    "UTF-32": '{"role":"admin"}'.encode("utf-32-le"),
    "UTF-32, the other way round, after a space": ' {"role":"admin"}'.encode("utf-32-be"),
    "UTF-16 with a lone surrogate": '{"role":"\ud800"}'.encode("utf-16-le", "surrogatepass"),
    "bytes that are no UTF-8": b'{"role":"admin\xff"}',
    "a control character": b'{"role":"ad\tmin"}',
    "a list and bytes after it": b'[1, {"role":"admin"}] x',
    "a list of constants": b'[NaN, {"role":"admin"}]',
    "a list of texts": b'["admin", \x00',
    "very many brackets": b"[" * 100_000,
    "a comment before it": b'/* x */ {"role":"admin"}',
    "a comment in it": b'{ // x\n"role":"admin"}',
    "single quotes": b"{'role':'admin'}",
    "names without quotes": b'{role:"admin"}',
    "names without quotes, a constant first": b'{a:null,role:"admin"}',
}


@pytest.mark.parametrize("case", LENIENT)
@pytest.mark.parametrize("name", ["image/png", "application/x-www-form-urlencoded", "text/html", "x/y"])
def test_what_a_lenient_reader_takes_for_json_contradicts_another_type(case: str, name: str) -> None:
    with pytest.raises(BodyError) as refused:
        decode(LENIENT[case], MediaType(name), Limits())
    if name in {"image/png", "x/y"}:
        assert isinstance(refused.value, TypeMismatch)


@pytest.mark.parametrize("case", LENIENT)
@pytest.mark.parametrize("name", ["", "text/plain"])
def test_what_a_lenient_reader_takes_for_json_is_malformed_where_no_type_contradicts_it(case: str, name: str) -> None:
    with pytest.raises(BodyError) as refused:
        decode(LENIENT[case], MediaType(name), Limits())
    if name == "":
        assert isinstance(refused.value, Malformed)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[",
        b"[INFO] started",
        b"[2026-01-02 10:00] started",
        b"[[a link]]",
        b"{{ template }}",
        b"{a b}",
        b"{a:b}",
        b"/* { */ a { color: red }",
        b"// [\n",
        b"\0\0\0\x20ftypisom{",
        b"\xff\xd8\xff\xe0",
        b"\xff\xfe",
        b"[\xff\xff\xff",
    ],
)
def test_text_and_bytes_that_nobody_takes_for_json_are_left_alone(data: bytes) -> None:
    assert not lenient_json.is_container(lenient_json.text_of(data))


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(
    value=st.lists(_VALUES) | st.dictionaries(st.text(), _VALUES),
    ascii_only=st.booleans(),
    encoding=st.sampled_from(
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
    ),
    before=st.text(" \t\r\n", max_size=3),
    after=st.text(max_size=3),
)
def test_whatever_pythons_json_writes_is_found(
    *, value: object, ascii_only: bool, encoding: str, before: str, after: str
) -> None:
    written = before + json.dumps(value, ensure_ascii=ascii_only) + after
    data = written.encode(encoding, "surrogatepass")
    if json.detect_encoding(data).removesuffix("-sig") in encoding:  # it goes by the first four bytes
        assert lenient_json.is_container(lenient_json.text_of(data))
