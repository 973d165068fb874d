"""What one target of the fuzzing is, and what all of them ask."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from extproc.core.decoding import decode, media_type
from extproc.core.decoding.decoded import Decoded
from extproc.core.rules import Limits
from extproc.errors import BodyError

LIMITS = Limits(body_bytes=4_096, decoded_bytes=8_192, depth=16, fields=40, nodes=60, parts=12, values=400)
"""Small enough for a fuzzer to reach each of them."""


Check = Callable[[bytes], int]
"""How often what we show was held against another reading: 0 where we show nothing, or no reader takes it.

It raises where the property does not hold, and whatever a reader raises that is not its refusal.
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A property of any bytes, and where to begin.

    `shown` are inputs that we show and each of the `readers` takes, by what they are; `others` are further ones to
    begin with, `tokens` what inputs are made of.
    """

    check: Check
    readers: int
    shown: Mapping[str, bytes]
    tokens: tuple[bytes, ...]
    others: tuple[bytes, ...] = ()

    @property
    def seeds(self) -> tuple[bytes, ...]:
        """Where to begin."""
        return *self.shown.values(), *self.others


def unfolded(data: bytes, tokens: tuple[bytes, ...]) -> bytes:
    """The input that a fuzzer's bytes stand for: themselves after a zero, else each from 0x80 on stands for a token.

    Our readers are regular expressions and C, in which a fuzzer cannot see how far it has come: with whole tokens it
    gets there by chance.
    """
    if data[:1] == b"\0":
        return data[1:]
    return b"".join(tokens[byte % len(tokens)] if byte & 0x80 else bytes([byte]) for byte in data[1:])


def decoded(content_type: bytes, data: bytes) -> Decoded | None:
    """What the policy gets to read, or None where the body is refused by name."""
    media = media_type.parse(content_type)
    if media is None:
        return None
    try:
        return decode(data, media, LIMITS)
    except BodyError:
        return None
