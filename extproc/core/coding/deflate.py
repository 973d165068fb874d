"""`gzip` (RFC 1952) and `deflate` (RFC 1950, zlib's format around RFC 1951), by the standard library's zlib.

zlib verifies CRC-32 and length of the one, Adler-32 of the other; it refuses reserved flags and preset dictionaries.
"""

import zlib
from collections.abc import Iterator

from extproc.core.coding.pieces import PIECE_BYTES, slices
from extproc.errors import Undecodable

_BIT_INVERSE = bytes(range(255, -1, -1))
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # zlib's sign for "a gzip header, and no other"


def gzip(data: bytes) -> Iterator[bytes]:
    """One gzip member; its file name, comment and extra field are nowhere in the result.  Raises Undecodable."""
    return _inflated(data, _GZIP_WINDOW)


def deflate(data: bytes) -> Iterator[bytes]:
    """One zlib stream.  Raises Undecodable, also for raw DEFLATE and for a stream that can be read as such.

    Some recipients take `deflate` for RFC 1951 without a wrapper, and browsers try both.  To them a zlib header begins
    a stored block: its length is in the next two bytes, which must be the inverse of the two after them (RFC 1951
    section 3.2.4).  Where they are not, a raw reader fails before its first byte, and there is one reading only.  A
    stream that came about without malice has such bytes once in 65,536.
    """
    if data[1:3] == data[3:5].translate(_BIT_INVERSE):
        raise Undecodable("a zlib stream that is raw DEFLATE too")
    return _inflated(data, zlib.MAX_WBITS)


def _inflated(data: bytes, window: int) -> Iterator[bytes]:
    decoder = zlib.decompressobj(window)
    for rest in slices(data):
        if decoder.eof:
            break
        try:
            yield (piece := decoder.decompress(rest, PIECE_BYTES))
            while len(piece) == PIECE_BYTES and not decoder.eof:  # a piece that is not full has used up its input
                yield (piece := decoder.decompress(decoder.unconsumed_tail, PIECE_BYTES))
        except zlib.error:
            raise Undecodable("no zlib or gzip stream") from None
    else:
        if decoder.eof and not decoder.unused_data:
            return
    raise Undecodable("not one whole zlib or gzip stream")
