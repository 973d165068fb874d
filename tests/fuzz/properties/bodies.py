"""Frames, content codings, and the inspection of whole bodies: one reading, and never more than the limits."""

import sys
import zlib
from collections.abc import Callable

import brotli
import orjson
from core.bodies import no_effort
from core.coding.encoders import ENCODERS
from fuzz.properties.target import LIMITS, Target, decoded

from extproc.core.body import Reassembly, inspect
from extproc.core.budget import MemoryBudget
from extproc.core.coding import DECODERS
from extproc.core.coding.pieces import PIECE_BYTES
from extproc.core.events import Direction, Headers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import VISIBLE, State
from extproc.errors import Undecodable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PREFIX_BYTES = 5
_STATES = VISIBLE | {State.OVER_LIMIT, State.UNDECODABLE, State.MALFORMED, State.TYPE_MISMATCH, State.UPGRADE}
_REFERENCES: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.decompress,
    "deflate": zlib.decompress,
    "gzip": lambda data: zlib.decompress(data, wbits=31),
    "x-gzip": lambda data: zlib.decompress(data, wbits=31),
    "zstd": zstd.decompress,
}
_TYPES = (
    b"",
    b"multipart/form-data; boundary=x",
    b"text/plain; charset=utf-16",
    *b"application/json application/x-www-form-urlencoded text/plain application/x-ndjson application/xml".split(),
    *b"application/grpc application/graphql text/html image/png unreadable".split(),
)


def frames(data: bytes) -> int:
    """The frames that are shown make up the whole body, byte by byte."""
    seen = decoded(b"application/grpc", data)
    if seen is None:
        return 0
    assert seen.frames is not None
    shown, offset = orjson.loads(seen.frames), 0
    assert len(shown) <= LIMITS.fields
    for frame in shown:
        assert data[offset] == int(frame["compressed"])
        assert int.from_bytes(data[offset + 1 : offset + _PREFIX_BYTES]) == frame["size"]
        offset += _PREFIX_BYTES + frame["size"]
    assert offset == len(data)
    return 1


def coding(name: str, data: bytes) -> int:
    """A stream that is undone whole is undone alike by the library at one go, and no piece is larger than a piece."""
    out = b""
    try:
        for piece in DECODERS[name](data):
            assert len(piece) <= PIECE_BYTES
            out += piece
            if len(out) > LIMITS.decoded_bytes:
                return 0
    except Undecodable:
        return 0
    assert _REFERENCES[name](data) == out
    return 1


def whole(data: bytes) -> int:
    """Any body under any type and coding, in any pieces, gets a state within its limits and leaves no byte behind.

    The first byte picks the type, the second the coding, the third where it is cut.
    """
    picks, data = data[:3].ljust(3, b"\0"), data[3:]
    declared = _TYPES[picks[0] % len(_TYPES)]
    codings = (*DECODERS, "identity", "", "gzip, br")
    encoding = codings[picks[1] % len(codings)]
    pairs = [("content-type", declared)] * bool(declared) + [("content-encoding", encoding.encode())] * bool(encoding)
    budget = MemoryBudget(1 << 20)
    body = Reassembly(LIMITS.body_bytes, budget, no_effort)
    for piece in (data[: picks[2]], data[picks[2] :]):
        body.feed(piece)
    seen = inspect(Headers(Direction.REQUEST, HeaderMap(tuple(pairs)), end_of_stream=False), body, LIMITS)
    assert seen.state in _STATES
    assert seen.size == len(data)
    assert seen.decoded_size <= max(LIMITS.decoded(len(data)), LIMITS.body_bytes)
    made = [part for part in (seen.text, seen.frames, *(text for _, text in seen.lifted)) if part is not None]
    made += [] if seen.parsed is None or seen.parsed is seen.raw else [seen.parsed]
    assert seen.raw == body.data()
    assert budget.current == len(seen.raw) + sum(map(sys.getsizeof, made))
    assert (seen.parsed is not None or seen.text is not None) == (seen.state is State.COMPLETE)
    for document in (seen.parsed, seen.frames, *(text for _, text in seen.lifted)):
        if document is not None:
            orjson.loads(document)
    body.release()
    assert budget.current == 0
    return int(seen.state is State.COMPLETE)


def _coding(name: str) -> Target:
    def check(data: bytes) -> int:
        return coding(name, data)

    encode = ENCODERS[name]
    shown = {name: encode(data) for name, data in _PLAIN.items()}
    too_long = encode(b"a" * 9_000)
    return Target(check, 1, shown, (b"\0", b"\xff", encode(b""), b"a" * 99), (too_long,))


_PLAIN = {
    "nothing": b"",
    "a byte": b"a",
    "JSON": b'{"a":1}',
    "every byte": bytes(range(256)),
    "one byte many times": b"a" * 8_000,
}
_BYTES = [bytes([byte]) for byte in range(13)]

TARGETS = {
    "grpc": Target(
        frames,
        1,
        {"two frames": b"\0\0\0\0\1x\1\0\0\0\0", "no frame": b"", "as many as may be": b"\0\0\0\0\0" * 40},
        (b"\0", b"\1", b"\2", b"\0\0\0\0\1", b"\0\0\0\0\0", b"\xff\xff\xff\xff"),
    ),
    **{f"coding_{name}": _coding(name) for name in sorted(DECODERS) if name != "x-gzip"},
    "body": Target(
        whole,
        1,
        {
            "JSON": b"\3\6\0" + b'{"a":1}',
            "a form in two pieces": b"\4\6\1a=1",
            "JSON under gzip": b"\3\2\0" + ENCODERS["gzip"](b"{}"),
            "JSON in plain text": b"\5\5\0[1]",
            "XML": b"\7\6\0<a/>",
        },
        (*_BYTES, *b'{} [1] {"jsonrpc":"2.0"} {"query":"{a}"} a=1& <a/>'.split()),
    ),
}
