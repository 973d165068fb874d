"""What some reader takes for JSON though ours does not, under types that do not say so."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode, lenient_json
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import BodyError, Malformed, TypeMismatch

PYTHON = {
    "a constant that JSON has not": b'{"role":"admin","n":NaN}',
    "a number beyond a double": b'{"role":"admin","n":1e400}',
    "a lone surrogate": b'{"role":"admin","n":"\\ud800"}',
    "a byte order mark": b'\xef\xbb\xbf{"role":"admin"}',
    "UTF-16": '{"role":"admin"}'.encode("utf-16-le"),
    "UTF-16, the other way round": '{"role":"admin"}'.encode("utf-16-be"),
    "UTF-16 with a mark": '{"role":"admin"}'.encode("utf-16"),
    "UTF-32": '{"role":"admin"}'.encode("utf-32-le"),
    "UTF-32, the other way round, after a space": ' {"role":"admin"}'.encode("utf-32-be"),
    "UTF-16 with a lone surrogate": '{"role":"\ud800"}'.encode("utf-16-le", "surrogatepass"),
    "UTF-16 with a lone surrogate in a list": '[1,"\ud800"]'.encode("utf-16-le", "surrogatepass"),
    "UTF-16 with a number of two digits first": '[10,"admin"]'.encode("utf-16-le"),
    "UTF-32 with a constant first": '[true,"admin"]'.encode("utf-32-le"),
    "a list of constants": b'[NaN, {"role":"admin"}]',
    "very many brackets": b"[" * 900 + b"]" * 900,
}
"""Read here by Python's json, as the first test shows."""
GO = {
    "bytes after it": b'{"role":"admin"} x',
    "a second document": b'{"role":"admin"}{"b":1}',
    "bytes that are no UTF-8": b'{"role":"admin\xff"}',
    "a list and bytes after it": b'[1, {"role":"admin"}] x',
    "a list of texts and bytes after it": b'["admin"], \x00',
}
JSON_SPACE = "\t\n\r "
_WHITE = (*"\t\n\v\f\r \x85\xa0\u1680", *map(chr, range(0x2000, 0x200B)), *"\u2028\u2029\u202f\u205f\u3000")
JSON_NET = {
    **{
        f"U+{ord(space):04X} before it": f'{space}{{"role":"admin"}}'.encode()
        for space in _WHITE
        if space not in JSON_SPACE
    },
    **{f"U+{ord(space):04X} in it": f'[{space}1,{space}{{{space}role{space}:"admin"}}]'.encode() for space in _WHITE},
    "white space of .NET Framework before it": '\u180e{"role":"admin"}'.encode(),
    "such spaces and marks in it": "[\u180e1,\ufeff'admin']".encode(),
    "two marks before it": '\ufeff\ufeff{"role":"admin"}'.encode(),
    "NUL before it": b'\0{"role":"admin"}',
    "NUL in it": b'{\0"role":"admin"}',
    "NUL after a name": b'{role\0:"admin"}',
    "an odd byte after UTF-16": '\ufeff[1,"admin"]'.encode("utf-16-le") + b"\0",
    "bytes that are no UTF-8 in single quotes": b"[0,{'\xff':'admin'}]",
    "a comment before it": b'/* x */ {"role":"admin"}',
    "comments before it": b'// {\n/* [ */// x\r\n{"role":"admin"}',
    "a comment in it": b'{ // x\n"role":"admin"}',
    "a comment in a list": b'[/**/"admin"]',
    "a comment after a number": b"[1/**/,//\n'admin']",
    "single quotes": b"{'role':'admin'}",
    "single quotes in a list": b"[1,'admin']",
    "names without quotes": b'{role:"admin"}',
    "names without quotes in a list": b"[0,{role:'admin'}]",
    "names without quotes, a constant first": b'{a:null,role:"admin"}',
    "names without quotes, no value first": b'{a:,role:"admin"}',
    "names of letters beyond ASCII": '{é:1,"role":"admin"}'.encode(),
    "names of other letters and digits": "{\u01c5\u02b0\u05d0\u0663:'admin'}".encode(),
    "names of a letter that came with Unicode 16": "{\u1c89:'admin'}".encode(),
    "a constructor in an object": b'{a:new Date(0),role:"admin"}',
    "a constructor in a list": b'[new Date(0),"admin"]',
    "a constructor with white space": '[ new\u00a0Date ("admin")]'.encode(),
    "undefined in a list": b'[undefined,"admin"]',
    "infinities in a list": b'[Infinity,-Infinity,NaN,"admin"]',
    "a hexadecimal number": b'[0x1F,"admin"]',
    "an octal number": b'[017,"admin"]',
    "numbers without digits before or after the point": b'[.5,1.,-.5e+1,"admin"]',
    "empty elements": b'[,,"admin"]',
    "an empty element at the end": b"[1,]",
    "a list of lists": b"[[],[1],[2,{a:'admin'}]]",
}
"""By JsonTextReader.cs of Newtonsoft.Json 13: what it eats, and what it takes for a value and a name."""
LENIENT = PYTHON | GO | JSON_NET


def _found(data: bytes) -> bool:
    return any(map(lenient_json.is_container, lenient_json.texts_of(data)))


@pytest.mark.parametrize("case", PYTHON)
def test_pythons_json_reads_an_object_or_a_list(case: str) -> None:
    assert isinstance(json.loads(PYTHON[case]), dict | list)


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


LEFT_ALONE = [
    b"",
    b"{",
    b"[",
    b"[INFO] started",
    b"[2026-01-02 10:00] started",
    b"[2026-01-01T10:00:00Z] GET /",
    b"[02/Jan/2026:10:00:00 +0000] GET /",
    b"[10:00:00.123] started",
    b"[10.0.0.1] connected",
    b"[pid 12] open",
    b"[12 MB] done",
    b"[x] done\n[-] not done",
    b"[section]\nkey = 1\n",
    b"[[bin]]\nname = 'x'\n",
    b"[a, b]\n",
    b"[a](b) and [1, 2) but not 3",
    b"[1, Section 2]",
    b"[[a link]]",
    b"[0xZZ]",
    b"[nullable]",
    b"[newest (1)]",
    b"[new]",
    b"{{ template }}",
    b"{{template}}",
    b"{% if a %}",
    b"{a b}",
    b"{a:b}",
    b"{0} of {1}",
    b"{n, plural, one {# item} other {# items}}",
    b"{\\bf x}",
    b"{ int x = 1; return x; }",
    b"{:a 1}",
    b"{,}",
    b"/* { */ a { color: red }",
    b"/* [ */\n#include <stdio.h>\n",
    b"// [\n",
    b"/usr/bin",
    b"/",
    b"/* [1]",
    "\u3000「本文」".encode(),
    "\ufeff[名前]".encode(),
    "é[1]".encode(),
    b"\0\0\0\x20ftypisom{",
    b"\0\0\1\0\1\0",
    b"\0asm\1\0\0\0",
    b"{\0\1\0\2",
    b"[\0\0\0",
    b"\xff\xd8\xff\xe0",
    b"\xff\xfe",
    b"\xff\xfe[",
    b"[\xff\xff\xff",
    b"\xa0{}",
    b"[\xff1]",
    "[\ud8001]".encode("utf-16-le", "surrogatepass"),
    b"\xe3\x80{}",
]


@pytest.mark.parametrize("data", LEFT_ALONE)
def test_text_and_bytes_that_nobody_takes_for_json_are_left_alone(data: bytes) -> None:
    assert not _found(data)


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
        assert _found(data)
