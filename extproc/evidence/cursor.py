"""How far each segment of a log was shipped, and what is still to ship."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from extproc.errors import EvidenceDirectoryError, VerificationError
from extproc.evidence.document import Statement, parse_payload
from extproc.evidence.dsse import MAX_LINE_BYTES, decode
from extproc.evidence.lines import Corrupt, read_lines
from extproc.evidence.wal import FOLDER, SUFFIX

CURSOR_FOLDER = "cursor"
_OFFSET = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one segment still has to ship: how many receipts, and the `issued_at` of the oldest (RFC 3339)."""

    receipts: int
    oldest_issued_at: str


class CursorStore:
    """One byte offset for each segment, in `<directory>/cursor/<segment's file name>`; for one process."""

    def __init__(self, directory: Path) -> None:
        """Make the folder; raises EvidenceDirectoryError."""
        self._folder = directory / CURSOR_FOLDER
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise EvidenceDirectoryError(
                f"{self._folder} cannot be made ({error.strerror}): make evidence.directory writable"
            ) from error

    def load(self, segment: Path) -> int:
        """Where to go on; 0 where nothing was shipped yet.  Raises EvidenceDirectoryError for a damaged cursor."""
        cursor = self._folder / segment.name
        try:
            text = cursor.read_text(encoding="ascii")
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            text = ""
        if not _OFFSET.fullmatch(text):
            raise EvidenceDirectoryError(f"{cursor} is damaged: remove it, and its log is shipped again from the start")
        return int(text)

    def save(self, segment: Path, offset: int) -> None:
        """Remember that all before `offset` was delivered; the old value or the new, never half.  Raises OSError."""
        draft = self._folder / f".{segment.name}"
        with draft.open("w", encoding="ascii") as file:
            file.write(str(offset))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._folder / segment.name)


def segments(directory: Path) -> list[Path]:
    """Every segment of every log of an evidence directory, by name."""
    return sorted((directory / FOLDER).glob(f"*{SUFFIX}"))


def backlog(segment: Path, offset: int) -> Backlog | None:
    """Count what follows `offset` without reading it: by the numbers of the first and the last receipt.

    None where no line is whole yet.  Raises VerificationError where one of the two lines is corrupt, OSError.
    """
    first = next(read_lines(segment, offset), None)
    if first is None:
        return None
    if isinstance(first, Corrupt):
        raise VerificationError(f"{segment}, byte {offset}: {first.reason}")
    oldest = parse_payload(first.envelope.payload)
    return Backlog(_last(segment).seq - oldest.seq + 1, oldest.issued_at)


def _last(segment: Path) -> Statement:
    """Read the last whole line: it lies within two lines' length of the end, for what follows it is less than one."""
    with segment.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * MAX_LINE_BYTES))
        whole, _, _ = file.read().rpartition(b"\n")
    return parse_payload(decode(whole.rpartition(b"\n")[2]).payload)
