"""How much goes in and comes out at a time."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

PIECE_BYTES = 1 << 16
"""What a decoder holds beside what it has given away."""
_SLICE_BYTES = 1 << 10
"""What a decoder takes in one call, which nothing can interrupt: of Brotli's dearest blocks some 4 ms of CPU.

Libraries also copy the input that a full output leaves over; a whole body at once would be copied for each piece.
"""

Decoder: TypeAlias = Callable[[bytes], Iterator[bytes]]
"""From a whole coded body to its pieces, some of them empty: one at least for each slice.

Raises Undecodable, and nothing else, as it goes on.
"""


def slices(data: bytes) -> Iterator[memoryview]:
    """The same bytes, bit by bit."""
    view = memoryview(data)
    for start in range(0, len(view), _SLICE_BYTES):
        yield view[start : start + _SLICE_BYTES]
