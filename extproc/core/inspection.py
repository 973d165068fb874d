"""What we know about a body: its state by name, never an empty value that could mean several things."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

Lifted: TypeAlias = tuple[tuple[str, bytes], ...]
"""Members of the input document beside `parsed_body`: name and JSON text."""


class State(StrEnum):
    """docs/inspection.md has the meaning of each and its default answer.

    `pending`, at the headers point only: the body is still to come.  `waived`: the headers point lets it pass unseen.
    """

    COMPLETE = "complete"
    EMPTY = "empty"
    OPAQUE = "opaque"
    OVER_LIMIT = "over_limit"
    UNDECODABLE = "undecodable"
    MALFORMED = "malformed"
    TYPE_MISMATCH = "type_mismatch"
    NOT_SENT = "not_sent"
    PENDING = "pending"
    WAIVED = "waived"
    PARTIAL = "partial"
    UPGRADE = "upgrade"
    STREAM = "stream"


VISIBLE = frozenset({State.COMPLETE, State.EMPTY, State.OPAQUE})
"""States in which the policy sees all there is; every other one is answered by configuration, not by evaluation."""

BY_NAME = frozenset({State.PENDING, State.WAIVED})
"""States that a policy is asked about or has named itself: no configuration answers them."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """One body as the policy sees it.

    `digest` is the SHA-256 of the bytes that crossed the wire, in hexadecimal; empty where we did not see them all.
    `size` counts those bytes (a lower bound when `over_limit`), `decoded_size` the bytes after the content coding.
    `raw` are the decoded bytes.  `parsed` is the JSON text of `parsed_body` (for a JSON body the very bytes that the
    upstream reads), or None where there is none.  `text` is the body as text where the type is text without a parser.
    `frames` is the JSON text of what is known of an opaque body's frames, or None.  `lifted` says in the terms of a
    protocol what `parsed` says as well.
    """

    state: State
    media_type: str = ""
    charset: str = ""
    encodings: tuple[str, ...] = ()
    size: int = 0
    decoded_size: int = 0
    digest: str = ""
    sniffed: bool = False
    raw: bytes = b""
    parsed: bytes | None = None
    text: str | None = None
    frames: bytes | None = None
    lifted: Lifted = ()

    @property
    def hidden(self) -> bool:
        """Whether nothing was made of the body: where its bytes are here, they themselves are shown."""
        return self.state is State.OPAQUE or self.state not in VISIBLE
