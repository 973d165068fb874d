"""A body, the codings that it may be under, and the limits that it is read with."""

from core.coding.encoders import ENCODERS

from extproc.core.rules import Limits

LIMITS = Limits(body_bytes=1_000, decoded_bytes=20_000, decoded_ratio=10, depth=8, fields=8)
MIB = 1 << 20
PLAIN = b'{"a": [1, 2.50]}'
CODINGS = sorted(ENCODERS)


def coding(name: str) -> tuple[str, bytes]:
    return ("content-encoding", name.encode())
