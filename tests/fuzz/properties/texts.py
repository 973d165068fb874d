"""JSON, NDJSON, XML, text and what is lifted from them: what we read, every library that takes it reads alike."""

import json
import math
from itertools import takewhile

import orjson
from core.decoding.depth import depth
from fuzz.properties.target import LIMITS, Target, decoded
from fuzz.readers.texts import CHARSETS, JSON_READERS, TEXT_READERS, XML_READERS
from graphql import GraphQLError, Lexer, Source, TokenKind, parse
from graphql.utilities import get_operation_ast


def json_text(data: bytes) -> int:
    """A JSON text is handed on as its very bytes, and has one value."""
    seen = decoded(b"application/json", data)
    if seen is None:
        return 0
    assert seen.parsed == data
    _one_value(data)
    return len(JSON_READERS)


def json_lines(data: bytes) -> int:
    """NDJSON is as many values as it has lines."""
    seen = decoded(b"application/x-ndjson", data)
    if seen is None:
        return 0
    lines = data.decode().removesuffix("\n").split("\n")
    assert seen.parsed is not None
    assert json.loads(seen.parsed) == [_one_value(line.encode()) for line in lines]
    return len(JSON_READERS)


def xml(data: bytes) -> int:
    """A document is the same tree to libxml2 and to expat's other reader."""
    seen = decoded(b"application/xml", data)
    if seen is None:
        return 0
    assert seen.parsed is not None
    ours = orjson.loads(seen.parsed)
    assert _elements(ours) <= LIMITS.nodes
    assert _levels(ours) <= LIMITS.depth
    compared = 0
    for name, (read, refusal) in XML_READERS.items():
        try:
            theirs = read(data)
        except refusal:
            continue
        assert theirs == ours, f"{name} reads {theirs}, we read {ours}"
        compared += 1
    return compared


def text(data: bytes) -> int:
    """A text, in the charset that the first byte picks, is the same to a browser and by the registry's codecs."""
    charset = CHARSETS[data[0] % len(CHARSETS)] if data else ""
    seen = decoded(b"text/html; charset=" + charset.encode() if charset else b"text/html", data[1:])
    if seen is None:
        return 0
    assert seen.text is not None
    ours = seen.text.removeprefix("\ufeff") if charset in {"", "utf-8", "utf8"} else seen.text
    for name, read in TEXT_READERS.items():
        assert read(data[1:], charset) == ours, name
    return len(TEXT_READERS)


def messages(data: bytes) -> int:
    """What is lifted of JSON-RPC stands in the body as it is shown."""
    lifted = _lifted(data).get("jsonrpc")
    if lifted is None:
        return 0
    body = json.loads(data)
    batch = body if isinstance(body, list) else [body]
    shown = json.loads(lifted)
    assert len(shown) == len(batch) <= max(LIMITS.parts, 1)
    for message, one in zip(batch, shown, strict=True):
        known = {"id", "method", "params"} & message.keys() if isinstance(message, dict) else set()
        assert {name: message[name] for name in known} == {name: one[name] for name in known & one.keys()}
        assert known == {"id", "method", "params"} & one.keys()
        if one.get("method") == "tools/call" and "problem" not in one:
            assert (one["tool"], one.get("arguments")) == (
                message["params"]["name"],
                message["params"].get("arguments"),
            )
    return 1


def graphql(data: bytes) -> int:
    """The operation that is lifted is the one that a server picks (GraphQL, section 6.1), and no string is missing."""
    lifted = _lifted(data).get("graphql")
    if lifted is None:
        return 0
    body, shown = json.loads(data), json.loads(lifted)
    assert shown.get("variables") == body.get("variables")
    if "problem" in shown:
        return 0
    operation = get_operation_ast(parse(body["query"]), body.get("operationName") or None)
    assert operation is not None
    assert (shown["operation"], shown.get("name")) == (
        operation.operation.value,
        operation.name.value if operation.name else None,
    )
    assert sorted(shown.get("literals", [])) == _strings(body["query"])
    return 1


def _strings(document: str) -> list[str]:
    tokens = takewhile(lambda token: token.kind is not TokenKind.EOF, iter(Lexer(Source(document)).advance, None))
    return sorted(str(token.value) for token in tokens if token.kind in {TokenKind.STRING, TokenKind.BLOCK_STRING})


def graphql_document(data: bytes) -> int:
    """A document that is shown is one that graphql-core reads without our bounds."""
    seen = decoded(b"application/graphql", data)
    if seen is None:
        return 0
    assert seen.text is not None
    try:
        parse(seen.text)
    except GraphQLError as error:
        raise AssertionError("shown, and no document") from error
    return 1


def _lifted(data: bytes) -> dict[str, bytes]:
    seen = decoded(b"application/json", data)
    return {} if seen is None else dict(seen.lifted)


def _one_value(data: bytes) -> object:
    """The value, which every reader has to find, within all limits.  A name twice has none."""
    value: object = json.loads(data, object_pairs_hook=_object, parse_constant=_no_constant)
    assert depth(value) <= LIMITS.depth
    assert _is_plain(value)
    for name, read in JSON_READERS.items():
        assert read(data) == value, name
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    assert len(dict(pairs)) == len(pairs), "a name twice"
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise AssertionError(name)


def _is_plain(value: object) -> bool:
    """Whether all numbers are finite and all texts are Unicode."""
    match value:
        case float():
            return math.isfinite(value)
        case str():
            return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace") == value
        case list():
            return all(map(_is_plain, value))
        case dict():
            return all(map(_is_plain, (*value, *value.values())))
        case _:
            return True


def _elements(node: object) -> int:
    match node:
        case {"attributes": dict(attributes), "children": list(children)}:
            return 1 + len(attributes) + sum(map(_elements, children))
        case _:
            return 0


def _levels(node: object) -> int:
    match node:
        case {"children": list(children)}:
            return 1 + max(map(_levels, children), default=0)
        case _:
            return 0


_SPACE = (b" ", b"\t", b"\r", b"\n", b"\r\n", b"\0", b"\xef\xbb\xbf", "é\u2028\u0085".encode(), b"\xff")
_LONG = (b"[" * 17 + b"]" * 17, b"0" * 1_100, b"1" + b",1" * 400)
_JSON = (*rb'{ } [ ] : , "a" " 1 -0 1e400 1.10 null NaN \u0061 \ud800 \udc00'.split(), *_LONG, *_SPACE)
_PARAMS = b'"params":{"name":"a","arguments":{}}'
_RPC = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"b":1}}}'
_MESSAGES = (*b'"jsonrpc":"2.0" "id":1 "id":1.0 "method":"tools/call" "METHOD" "result":1 "error":{}'.split(), _PARAMS)
_REQUEST = b'"query":"{a}" "operationName":"A" "variables":{} "Query":""'.split()
_TAGS = (
    b'<a> </a> <a/> <b </b> c="1" xmlns="u" xmlns:p="u" p: <!-- --> <![CDATA[ ]]> <? ?> &amp; &#97; &#13; &a;'.split()
)
_TREES = (b"<a/>" * 61, b"<a>" * 17 + b"</a>" * 17)
_DOCUMENT = (
    *b'query A mutation subscription fragment F on Q { } a ...F ...on (b:1) $v:Int """ # c:d @skip'.split(),
    *_SPACE,
)
_OPERATIONS = b'{"query":"query A{a} mutation B{b ...F} fragment F on Q{c}","operationName":"B","variables":{"n":1}}'

TARGETS = {
    "json": Target(
        json_text,
        len(JSON_READERS),
        {"an object": b'{"a":[1,-2.5e3,"b\\u00e9"],"c":null}', "a number": b"1", "lists": b"[[[]]]"},
        _JSON,
    ),
    "ndjson": Target(
        json_lines, len(JSON_READERS), {"three lines": b'{"a":1}\n[2]\n"c"', "CR LF": b"1\r\n2\r\n"}, _JSON
    ),
    "xml": Target(
        xml,
        len(XML_READERS),
        {
            "a namespace": b'<s:a xmlns:s="u" b="1">x<c/>y</s:a>',
            "a comment": b"<a><!--b--><c>&#97;</c></a>",
            "a section": b"<a><![CDATA[<]]></a>",
        },
        (*_TAGS, *_TREES, b"<!DOCTYPE a>", b'<?xml version="1.0"?>', *_SPACE),
    ),
    "text": Target(
        text,
        len(TEXT_READERS),
        {"UTF-8": b"\0a\xc3\xa9", "Latin-1": b"\x05\xe9"},
        (*_SPACE, b"\xff\xfe", b"\xfe\xff", b"\x80", b"a\0"),
        (b"\x09\xff\xfea\0",),
    ),
    "jsonrpc": Target(
        messages,
        1,
        {"a call": _RPC, "a call and a result": b"[" + _RPC + b',{"jsonrpc":"2.0","result":1,"id":1}]'},
        (*_MESSAGES, *_JSON),
    ),
    "graphql": Target(
        graphql,
        1,
        {
            "two operations": _OPERATIONS,
            "strings": rb'{"query":"{a(b:[\"\u0027\"]) @c(d:\"\")}"}',
            "a query": b'{"query":"{a}"}',
        },
        (*_REQUEST, *_DOCUMENT),
    ),
    "graphql_document": Target(
        graphql_document, 1, {"an operation": b"query A($v:Int){a(b:$v) ...on Q{c}}", "a query": b"{a}"}, _DOCUMENT
    ),
}
