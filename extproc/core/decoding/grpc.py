"""The frames of a gRPC body (gRPC over HTTP/2, Length-Prefixed-Message); what is in them stays opaque."""

from collections.abc import Iterator
from struct import Struct

import orjson

from extproc.core.decoding import json
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch

_PREFIX = Struct(">BI")  # Compressed-Flag, Message-Length
_FLAGS = frozenset({0, 1})
_BINARY = frozenset({"application/grpc", "application/grpc+proto"})  # no message of protobuf begins with a bracket
_BRACKETS = frozenset(b"[{")


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """No value, but `frames`: a JSON list of {compressed, size}, one for each message.

    Raises Malformed for a frame that ends early, bytes after the last frame, a flag that is neither 0 nor 1, and more
    than `Limits.fields` frames; TypeMismatch for JSON all the same: 00 00 00 00 20 is white space to Json.NET.
    """
    frames = [*_frames(data, limits.fields)]
    if media.name in _BINARY and _hides_json(data, limits):
        raise TypeMismatch("JSON under another declared type")
    return Decoded(frames=orjson.dumps(frames))


def _hides_json(data: bytes, limits: Limits) -> bool:
    """Whether JSON begins behind the first prefix.  A bracket within that is the length of many an honest message."""
    return _BRACKETS.isdisjoint(data[: _PREFIX.size]) and json.is_container(data, limits)


def _frames(data: bytes, most: int) -> Iterator[dict[str, object]]:
    offset, end = 0, len(data)
    for _ in range(most):
        if offset == end:
            return
        if end - offset < _PREFIX.size:
            raise Malformed("a frame without its prefix")
        flag, size = _PREFIX.unpack_from(data, offset)
        offset += _PREFIX.size + size
        if flag not in _FLAGS or offset > end:
            raise Malformed("no gRPC frame, or one that ends early")
        yield {"compressed": flag == 1, "size": size}
    if offset != end:
        raise Malformed("too many frames")
