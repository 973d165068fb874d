"""Reading a segment of a log line by line, also while its writer goes on."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TypeAlias

from extproc.errors import VerificationError
from extproc.evidence.dsse import MAX_LINE_BYTES, Envelope, decode
from extproc.evidence.wal import FOLDER, SUFFIX

_BLOCK_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that holds an envelope; `end` is the offset after it, `number` counts from 1 where the reading began."""

    number: int
    end: int
    envelope: Envelope


@dataclass(frozen=True, slots=True)
class Corrupt:
    """A line that holds none.  It is never skipped in silence: whoever reads has to say what becomes of it."""

    number: int
    end: int
    reason: str


Line: TypeAlias = Entry | Corrupt


def log_files(path: Path) -> list[Path]:
    """The path itself, or the logs (`*.ndjson`) of a folder: an evidence directory has cursors of the same names."""
    if not path.is_dir():
        return [path]
    logs = path / FOLDER if (path / FOLDER).is_dir() else path
    return sorted(logs.rglob(f"*{SUFFIX}"))


def read_lines(path: Path, offset: int = 0) -> Iterator[Line]:
    """Read the whole lines of a segment from a byte offset on; a last line without its newline is passed over.

    **No signature is checked.**  Raises OSError.
    """
    with path.open("rb", buffering=0) as file:
        number = 0
        while block := _read_at(file, offset):
            whole, newline, _ = block.rpartition(b"\n")
            if not newline and len(block) <= MAX_LINE_BYTES:
                return
            for line in whole.split(b"\n") if newline else [block]:
                number += 1
                offset += len(line) + len(newline)
                yield _line(number, offset, line)


def _read_at(file: FileIO, offset: int) -> bytes:
    """Read a block, always from the start of a line: what the writer cuts off and writes anew is read anew."""
    file.seek(offset)
    return file.read(_BLOCK_BYTES)


def _line(number: int, end: int, line: bytes) -> Line:
    try:
        return Entry(number, end, decode(line))
    except VerificationError as error:
        return Corrupt(number, end, str(error))
