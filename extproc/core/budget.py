"""What all bodies of a worker may take together."""

from extproc.errors import Overloaded


class MemoryBudget:
    """Bytes of bodies that one worker holds for all of its exchanges together: on the wire or decoded, and as parsed.

    What decoder and parser need beside them lives for the length of one call, one at a time in a worker: a window of at
    most 16 MiB, and a tree that may take some 50 times its body's bytes.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Hold `limit_bytes` at most."""
        self._limit_bytes = limit_bytes
        self._current = 0

    @property
    def current(self) -> int:
        """Bytes charged and not released."""
        return self._current

    def charge(self, size: int) -> None:
        """Take `size` bytes.  Raises Overloaded, and takes nothing, where they do not fit."""
        if self._current + size > self._limit_bytes:
            raise Overloaded("the memory budget for bodies is full")
        self._current += size

    def release(self, size: int) -> None:
        """Give `size` charged bytes back."""
        self._current -= size
