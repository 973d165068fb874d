"""The frames of a gRPC body (gRPC over HTTP/2, Length-Prefixed-Message); what is in them stays opaque."""

from collections.abc import Iterator
from struct import Struct

import orjson

from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed

_PREFIX = Struct(">BI")  # Compressed-Flag, Message-Length
_FLAGS = frozenset({0, 1})


def parse(data: bytes, _media: MediaType, limits: Limits) -> Decoded:
    """No value, but `frames`: a JSON list of {compressed, size}, one for each message.

    Raises Malformed for a frame that ends early, bytes after the last frame, a flag that is neither 0 nor 1, and more
    than `Limits.fields` frames.
    """
    return Decoded(frames=orjson.dumps([*_frames(data, limits.fields)]))


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
