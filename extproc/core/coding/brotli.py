"""`br` (RFC 7932), by Google's own binding."""

from collections.abc import Iterator

import brotli

from extproc.core.coding.pieces import slices
from extproc.errors import Undecodable

_PIECE_BYTES = 1 << 14
"""The binding looks at its limit when a block of its output is full; the first block has just under 32 KiB."""


_LARGEST_BYTES = 1 << 24
_WINDOW = 0b1110
"""RFC 7932 section 9.1: bits of the first byte that say a window of 2^18 to 2^24 bytes, where its lowest bit is set."""


def br(data: bytes, most_bytes: int = _LARGEST_BYTES) -> Iterator[bytes]:
    """One Brotli stream with a window of at most 16 MiB; metadata blocks are nowhere in the result.

    Nothing is promised of what comes after `most_bytes`.  Raises Undecodable.  The format has no checksum.
    """
    decoder = brotli.Decompressor()
    for rest in slices(_narrowed(data, most_bytes)):
        try:
            # Raises where bytes follow the end.
            yield (piece := decoder.process(rest, output_buffer_limit=_PIECE_BYTES))
            while piece and not decoder.is_finished():  # only an empty piece says that no output is left
                yield (piece := decoder.process(b"", output_buffer_limit=_PIECE_BYTES))
        except brotli.error:
            raise Undecodable("not one whole Brotli stream") from None
    if not decoder.is_finished():
        raise Undecodable("a Brotli stream without an end")


def _narrowed(data: bytes, most_bytes: int) -> bytes:
    """The same stream with no larger window than `most_bytes` need, but never less than one of 2^18 bytes.

    The library fills the window before it gives anything away: 14 bytes for 16 MiB.  No distance is beyond what there
    is so far (section 4), so that as far as the smaller window reaches, a larger one changes nothing.
    """
    size = data[0] & _WINDOW if data and data[0] & 1 else 0
    needed = max((most_bytes + 15).bit_length() - 17, 1) << 1  # a window is 16 bytes less than its power of two
    return bytes([data[0] & ~_WINDOW | needed]) + data[1:] if size > needed else data
