"""What a parser makes of a whole body, and the shape of a parser."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from extproc.core.decoding.media_type import MediaType
from extproc.core.inspection import State
from extproc.core.rules import Limits


@dataclass(frozen=True, slots=True)
class Decoded:
    """`parsed` is the JSON text of `parsed_body`, `text` the body of a textual type; see Inspection for both."""

    parsed: bytes | None = None
    text: str | None = None
    sniffed: bool = False

    @property
    def state(self) -> State:
        """`complete` where the policy gets something to read, else `opaque`."""
        return State.OPAQUE if self.parsed is None and self.text is None else State.COMPLETE


Parser: TypeAlias = Callable[[bytes, MediaType, Limits], Decoded]
"""Raises a BodyError for bytes that it cannot show whole, and nothing else, whatever the bytes."""
