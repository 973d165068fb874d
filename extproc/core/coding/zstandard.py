"""`zstd` (RFC 8878), with the window that RFC 9659 allows under HTTP, by the standard library or its backport."""

import sys
from collections.abc import Iterator

from extproc.core.coding.pieces import PIECE_BYTES, slices
from extproc.errors import Undecodable

if sys.version_info >= (3, 14):  # pragma: no cover - a run has one Python
    from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
else:
    from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError

_MAGIC = b"\x28\xb5\x2f\xfd"
_OPTIONS: dict[int, int] = {DecompressionParameter.window_log_max: 23}  # 8 MiB: RFC 9659 section 3


def zstd(data: bytes) -> Iterator[bytes]:
    """One frame.  Raises Undecodable, also for skippable frames and for frames that need a dictionary.

    The library verifies the checksum and the content size where the frame has them.
    """
    if not data.startswith(_MAGIC):
        raise Undecodable("no Zstandard frame")
    decoder = ZstdDecompressor(options=_OPTIONS)
    for rest in slices(data):
        if decoder.eof:
            break
        try:
            yield decoder.decompress(rest, PIECE_BYTES)
            while not (decoder.needs_input or decoder.eof):
                yield decoder.decompress(b"", PIECE_BYTES)
        except ZstdError:
            raise Undecodable("no Zstandard frame") from None
    else:
        if decoder.eof and not decoder.unused_data:
            return
    raise Undecodable("not one whole Zstandard frame")
