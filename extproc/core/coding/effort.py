"""How much CPU undoing a coding may take.  No count of bytes tells: a few can ask for tables that are dear to build."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from extproc.core.coding.pieces import Decoder
from extproc.errors import Undecodable

CpuClock: TypeAlias = Callable[[], int]
"""Nanoseconds of CPU that the calling thread has used, since whenever."""

_BASE_NS = 40_000_000
"""Of Brotli's dearest blocks 14 KB take as long."""
_DECODED_BYTE_NS = 75
"""75 ms for each megabyte: ten times what the slowest honest bodies took on a busy machine (docs/adr/0017)."""


def bounded(decoder: Decoder, data: bytes, cpu_ns: CpuClock) -> Iterator[bytes]:
    """The decoder's pieces.

    Raises Undecodable as the decoder does, and where they take more CPU than 40 ms and 75 ms for each megabyte of them.
    """
    end_ns = cpu_ns() + _BASE_NS
    for piece in decoder(data):
        end_ns += len(piece) * _DECODED_BYTE_NS
        if cpu_ns() > end_ns:
            raise Undecodable("a content coding that takes too long to undo")
        yield piece
