"""Bodies as they are held, and their digests."""

from hashlib import sha256

from extproc.core.body import Reassembly
from extproc.core.budget import MemoryBudget


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def no_effort() -> int:
    """A clock for a thread whose work costs nothing."""
    return 0


def held(*chunks: bytes, limit_bytes: int = 100) -> Reassembly:
    body = Reassembly(limit_bytes, MemoryBudget(1_000), no_effort)
    for chunk in chunks:
        body.feed(chunk)
    return body
