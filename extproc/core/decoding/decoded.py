"""What a parser makes of a whole body, and the shape of a parser."""

from collections.abc import Callable
from dataclasses import dataclass
from sys import getsizeof
from typing import TypeAlias

from extproc.core.decoding.media_type import MediaType
from extproc.core.inspection import Lifted, State
from extproc.core.rules import Limits


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a parser found, and nothing of what it did not find.

    `parsed` is the JSON text of `parsed_body`, `text` the body of a textual type, `frames` the JSON text of what is
    known of an opaque body's frames, `lifted` the further members of the input document, each with its JSON text; see
    Inspection for all of them.
    """

    parsed: bytes | None = None
    text: str | None = None
    sniffed: bool = False
    frames: bytes | None = None
    lifted: Lifted = ()

    def bytes_beside(self, data: bytes) -> int:
        """What this takes in memory beside the body itself, which `parsed` may be."""
        parts: list[bytes | str | None] = [self.text, self.frames, *[text for _, text in self.lifted]]
        if self.parsed is not data:
            parts.append(self.parsed)
        return sum([getsizeof(part) for part in parts if part is not None])

    @property
    def state(self) -> State:
        """`complete` where the policy gets something to read, else `opaque`."""
        return State.OPAQUE if self.parsed is None and self.text is None else State.COMPLETE


Parser: TypeAlias = Callable[[bytes, MediaType, Limits], Decoded]
"""Raises a BodyError for bytes that it cannot show whole, and nothing else, whatever the bytes."""
