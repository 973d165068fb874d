"""Bodies that are dear to inspect for what they cost to send: the worst of many that were tried for each format."""

import gzip
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import brotli

from benchmarks import tables
from extproc.core.rules import Limits

LIMITS = Limits()
DATA = Path(os.environ.get("EXTPROC_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""The outside data sets, where they are here."""
_MIB = 1 << 20
_JSON = "application/json"
_DEEP = b"[" * 63 + b"]" * 63
_TOO_DEEP = b"[" * 64 + b"]" * 64
_DEEP_OBJECT = b'{"":' * 63 + b"0" + b"}" * 63
_ZSTD = b"\x28\xb5\x2f\xfd\0\x38"
"""RFC 8878 section 3.1.1.1: the start of a frame with a window of 128 KiB and no content size."""
_RUN = (0x20000 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
"""Section 3.1.1.2.2: four bytes that stand for 128 KiB of zeros."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One body; `coding` is empty where it has none.  What is `outside` stands in a data set."""

    name: str
    media: str
    body: bytes
    coding: str = ""
    outside: bool = False


def attacks() -> Iterator[Attack]:
    """Bodies of up to 1 MiB, at a bound and beyond it, and codings that unfold to all that they may."""
    yield from _json_attacks()
    yield from _line_attacks()
    yield from _lifted_attacks()
    yield from _graphql_attacks()
    yield from _xml_attacks()
    yield from _form_attacks()
    yield from _multipart_attacks()
    yield from _other_attacks()
    yield from _coded_attacks()


def data_set() -> Iterator[Attack]:
    """Every JSON file of the outside data sets that a body may be, as a body."""
    for file in sorted(DATA.rglob("*.json")):
        body = file.read_bytes()
        if len(body) <= LIMITS.body_bytes:
            yield Attack(f"data: {file.relative_to(DATA)}", _JSON, body, outside=True)


def _json_attacks() -> Iterator[Attack]:
    yield Attack("JSON: brackets only", _JSON, b"[" * _MIB)
    yield Attack("JSON: as deep as allowed, again and again", _JSON, _listed(_DEEP))
    lists = _lists(LIMITS.containers)
    yield Attack("JSON: as deep as allowed, as many lists as allowed", _JSON, lists)
    yield Attack("JSON: the same, one level too deep at the end", _JSON, lists[:-125] + _TOO_DEEP + b"]")
    yield Attack("JSON: as many objects as allowed", _JSON, _listed(_DEEP_OBJECT, length=317 * 1_980))
    yield Attack("JSON: empty lists", _JSON, _listed(b"[]"))
    yield Attack("JSON: pairs of numbers", _JSON, _listed(b"[0,0]"))
    yield Attack("JSON: numbers of one digit", _JSON, _listed(b"0"))
    fields = b",".join(b'"k%d":0' % n for n in range(85_000))
    yield Attack("JSON: 85,000 names, the last one twice", _JSON, b"{" + fields + b',"k84999":1}')
    yield Attack("JSON: escaped names, the last one twice", _JSON, _listed(b'{"\\u0061":0}', b'{"a":0,"\\u0061":1}'))
    yield Attack("JSON: numbers of 1,099 digits", _JSON, _listed(b"1." + b"9" * 1_098))
    yield Attack("JSON: one number of 1 MiB", _JSON, b"9" * _MIB)
    yield Attack("JSON: escapes", _JSON, b'"' + _filled(b"\\u00e9") + b'"')
    yield Attack("text: as many lists as allowed", "text/plain", lists)
    yield Attack("opaque: as many lists as allowed", "application/octet-stream", lists)


def _line_attacks() -> Iterator[Attack]:
    most = LIMITS.containers
    yield Attack("NDJSON: as many lines as allowed", "application/x-ndjson", b"0\n" * most)
    yield Attack("NDJSON: empty lists, as many as allowed", "application/x-ndjson", b"[]\n" * (most // 2))
    yield Attack("NDJSON: tiny lines", "application/x-ndjson", _filled(b"0\n"))
    yield Attack("gRPC: empty frames, as many as allowed", "application/grpc", bytes(5) * LIMITS.fields)
    yield Attack("gRPC: empty frames", "application/grpc", _filled(bytes(5)))


def _lifted_attacks() -> Iterator[Attack]:
    head = b'{"jsonrpc":"2.0","id":1,"method":"a","params":'
    few = LIMITS.nodes * 49 // 50
    yield Attack("JSON-RPC: as many lists as allowed", _JSON, head + _lists(few) + b"}")
    yield Attack("JSON-RPC: as many fractions as allowed", _JSON, head + _listed(b"0.1", length=4 * few) + b"}")
    yield Attack("JSON-RPC: lists", _JSON, head + _lists(LIMITS.containers - 100) + b"}")
    members = b",".join(b'"%x":0' % n for n in range(few))
    yield Attack("JSON-RPC: as many members as allowed", _JSON, head + b"[]," + members + b"}")
    call = b'{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"a","arguments":{"b":[%b]}}}'
    calls = b",".join(call % (n, b",".join([b"1"] * (LIMITS.nodes // LIMITS.parts - 10))) for n in range(LIMITS.parts))
    yield Attack("JSON-RPC: as many calls as allowed", _JSON, b"[" + calls + b"]")
    yield Attack("JSON-RPC: tiny calls", _JSON, _listed(b'{"jsonrpc":"2.0"}'))
    both = b'"query":"{a}","variables":' + _lists(few // 2) + b"}"
    yield Attack("JSON-RPC and GraphQL at once", _JSON, head + _lists(few // 2) + b"," + both)


def _graphql_attacks() -> Iterator[Attack]:
    yield _graphql("as many fields as allowed", "{" + "a " * 1_998 + "}")
    yield _graphql("as many arguments as allowed", "{" + "a(b:1)" * 333 + "}")
    yield _graphql("as many braces as allowed", "{a" * 60 + "}" * 60)
    yield _graphql("tokens", "{" + "a " * 32_000 + "}")
    yield _graphql("aliases", "{" + "a:b " * 16_000 + "}")
    yield _graphql("braces", "{a" * 30_000)
    yield _graphql("one string", '{a(b:"' + "x" * 65_500 + '")}')
    yield _graphql("escapes", '{a(b:"' + "\\n" * 32_000 + '")}')
    yield _graphql("a block of empty lines", '{a(b:"""' + "\n" * 65_500 + '""")}')
    variables = b',"variables":' + _lists(LIMITS.nodes * 49 // 50)
    yield Attack("GraphQL: variables of as many lists as allowed", _JSON, b'{"query":"{a}"' + variables + b"}")


def _xml_attacks() -> Iterator[Attack]:
    most = LIMITS.nodes - 1
    yield _xml("empty elements, as many as allowed", b"<a/>" * most)
    yield _xml("empty elements", _filled(b"<a/>", _MIB - 100))
    yield _xml("elements and texts, as many as allowed", b"<a/>b" * most)
    yield _xml("elements and comments, as many as allowed", b"<a/><!---->" * most)
    yield _xml("elements with a namespace, as many as allowed", b'<a xmlns="u"/>' * most)
    yield _xml("attributes, as many as allowed", b'<a b=""/>' * (most // 2))
    attributes = b"".join(b" %x=''" % n for n in range(0xA00000, 0xA00000 + 95_000))
    yield _xml("one element of attributes", b"<a" + attributes + b"/>")
    names = b"".join(b"<a%d/>" % (n % (LIMITS.names - 1)) for n in range(most))
    yield _xml("different names, as many as allowed", names)
    yield _xml("different names and texts, as many as allowed", names.replace(b">", b">b"))
    declared = b" ".join(b'xmlns:b%d="u"' % n for n in range(most))
    yield _xml("namespaces, as many as allowed", b"<a " + declared + b"/>")
    yield _xml("as deep as allowed", (b"<a>" * 63 + b"</a>" * 63) * (most // 63))
    yield _xml(
        "a long namespace on each name", b'<p:a xmlns:p="' + b"u" * 5_000 + b'">' + b"<p:a/>" * 2_000 + b"</p:a>"
    )
    attributes = b" ".join(b'p:a%d=""' % n for n in range(LIMITS.names - 1))
    longest = LIMITS.decoded_bytes // (LIMITS.names + 1)
    yield _xml("a namespace on each attribute, as long as allowed", _in_namespace(longest, attributes))
    yield _xml("a longer namespace on each attribute", _in_namespace(longest * 10, attributes))


def _in_namespace(length: int, attributes: bytes) -> bytes:
    return b'<a xmlns:p="' + b"u" * length + b'" ' + attributes + b"/>"


def _form_attacks() -> Iterator[Attack]:
    form = "application/x-www-form-urlencoded"
    yield Attack("form: as many pairs as allowed", form, b"&".join(b"%x" % n for n in range(LIMITS.fields)))
    yield Attack("form: ampersands", form, b"&" * _MIB)
    yield Attack("form: every byte escaped", form, b"&".join([_filled(b"%C3%A9", 100)] * 9_999))
    yield Attack("form: a bad escape at the end", form, _filled(b"%C3%A9") + b"%")


def _multipart_attacks() -> Iterator[Attack]:
    media, head = "multipart/form-data; boundary=b", b"--b\r\ncontent-disposition:form-data;name=a"
    full = (
        head + b";filename=b\r\ncontent-type:a/b;c=d\r\ncontent-length:0\r\ncontent-transfer-encoding:7bit\r\n\r\n\r\n"
    )
    end = b"\r\n\r\n\r\n--b--"
    yield Attack("multipart: as many files as allowed", media, full * LIMITS.parts + b"--b--")
    yield Attack("multipart: tiny parts", media, _filled(head + b"\r\n\r\n\r\n") + b"--b--")
    typed = b"".join(b";a%d=a" % n for n in range(100_000))
    yield Attack(
        "multipart: a type of 100,000 parameters", media, head + b";filename=b\r\ncontent-type:a/b" + typed + end
    )
    escaped = b";filename=a;filename*=utf-8''" + _filled(b"%61", 1_000_000)
    yield Attack("multipart: an escaped filename", media, head + escaped + end)


def _other_attacks() -> Iterator[Attack]:
    yield Attack("text: JSON but for the end", "text/plain", b"[" + _filled(b'"",') + b'""]]')
    yield Attack("text: not UTF-8 at the end", "text/html", _filled("\N{FACE WITH TEARS OF JOY}".encode()) + b"\xff")


def _coded_attacks() -> Iterator[Attack]:
    zeros, text = bytes(64 * _MIB), "text/plain"
    bomb = gzip.compress(zeros)
    yield Attack("gzip: zeros beyond the limit", text, bomb, "gzip")
    yield Attack("gzip: truncated", text, gzip.compress(_noise(_MIB - 1_000))[:-9], "gzip")
    yield Attack("gzip: empty blocks", text, bomb[:10] + _filled(b"\0\0\0\xff\xff"), "gzip")
    yield Attack("deflate: dear tables", text, tables.deflate(_MIB - 50), "deflate")
    yield Attack("deflate: zeros beyond the limit", text, zlib.compress(zeros), "deflate")
    yield Attack("br: zeros beyond the limit", text, brotli.compress(zeros), "br")
    yield Attack("br: dear tables", text, tables.br(12_900), "br")
    yield Attack("br: dear tables, and 6 KB for each", text, tables.br(1_700, 6_000), "br")
    yield Attack("br: a window of 16 MiB, filled", text, tables.BR_WINDOW, "br")
    yield Attack("br: truncated", text, brotli.compress(_noise(_MIB - 1_000))[:-9], "br")
    yield Attack("zstd: zeros beyond the limit", text, _ZSTD + _RUN * 64, "zstd")
    yield Attack("zstd: dear tables", text, tables.zstd(_MIB - 50), "zstd")
    yield Attack("zstd: empty blocks", text, _ZSTD + _filled(bytes(3)), "zstd")
    yield Attack("gzip: 10 MiB of JSON, as many lists as allowed", _JSON, _unfolding(_lists(580_000)), "gzip")
    yield Attack(
        "gzip: 10 MiB of JSON, one level too deep at the end", _JSON, _unfolding(_listed(_DEEP, _TOO_DEEP)), "gzip"
    )


def _graphql(name: str, query: str) -> Attack:
    return Attack(f"GraphQL: {name}", _JSON, json.dumps({"query": query}).encode())


def _xml(name: str, content: bytes) -> Attack:
    return Attack(f"XML: {name}", "application/xml", b"<r>" + content + b"</r>")


def _unfolding(text: bytes) -> bytes:
    """All that the limits permit, with this text at the end; the noise keeps below the ratio."""
    noise = b'"' + _noise(_MIB // 20).hex().encode() + b'"'
    spaces = b" " * (LIMITS.decoded_bytes - len(noise) - len(text) - 10)
    return gzip.compress(b"[" + noise + b"," + spaces + text + b"]")


def _lists(number: int) -> bytes:
    """About so many lists, as close as they can be: each but the outermost in 62 others."""
    return _listed(_DEEP[1:-1], length=(number // 62 - 1) * 125)


def _filled(unit: bytes, length: int = _MIB - 10) -> bytes:
    return unit * (length // len(unit))


def _listed(unit: bytes, last: bytes = b"", length: int = _MIB - 1_000) -> bytes:
    return b"[" + b",".join([unit] * (length // (len(unit) + 1)) + [last or unit]) + b"]"


def _noise(length: int) -> bytes:
    """What does not compress, the same in each run."""
    return Random(1).randbytes(length)  # noqa: S311 - no secret
