"""`br` (RFC 7932), by Google's own binding."""

from collections.abc import Iterator

import brotli

from extproc.core.coding.pieces import slices
from extproc.errors import Undecodable

_PIECE_BYTES = 1 << 14
"""The binding looks at its limit when a block of its output is full; the first block has just under 32 KiB."""


def br(data: bytes) -> Iterator[bytes]:
    """One Brotli stream with a window of at most 16 MiB; metadata blocks are nowhere in the result.

    Raises Undecodable.  The format has no checksum.
    """
    decoder = brotli.Decompressor()
    for rest in slices(data):
        try:
            # Raises where bytes follow the end.
            yield (piece := decoder.process(rest, output_buffer_limit=_PIECE_BYTES))
            while piece and not decoder.is_finished():  # only an empty piece says that no output is left
                yield (piece := decoder.process(b"", output_buffer_limit=_PIECE_BYTES))
        except brotli.error:
            raise Undecodable("not one whole Brotli stream") from None
    if not decoder.is_finished():
        raise Undecodable("a Brotli stream without an end")
