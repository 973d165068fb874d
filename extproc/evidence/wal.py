"""The write-ahead log: receipts as lines of NDJSON, one log for each start of a worker.

`<directory>/wal/<origin>.<n>.ndjson`: a log is cut into segments, n from 0, so that no file grows without end; the hash
chain runs on across them.  Nothing here deletes a segment.  A last line without its newline was never acknowledged, and
every reader passes over it.

With `durability: fsync` a reader may see a line before it is durable, and then fdatasync may fail.  The line is cut off
and its segment never grows again, so that an offset which a reader took there stays past the end or true.  The line
keeps its place in the chain and comes first in the next segment.  Hence no acknowledged line is lost or passed over,
two different lines never have one place, and whoever reads the evidence may see

- a receipt of an answer that was replaced by a denial (`evidence_unwritable`), or that left without a receipt's id;
- that receipt delivered twice, with the same bytes and the same span id;
- that receipt delivered and not in the log, as the last of its log, where the process or the machine ended before it
  could be written again; or in the log, as its last, where the process ended before it was cut.

Somebody else may remove, replace or cut the newest segment, or write into it.  Nothing can bring back what was in it;
but nothing more is written there: `on_loss` hears of it, and the log goes on in the next segment with the next number,
so that the gap stays visible to whoever verifies.  An older segment, and bytes changed in their place, are not looked
at: that is what signatures and the chain are for.
"""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from extproc.core.canonical import MAX_ORIGIN_BYTES
from extproc.errors import EvidenceDirectoryError, EvidenceUnwritable
from extproc.evidence.dsse import MAX_LINE_BYTES

FOLDER = "wal"
SUFFIX = ".ndjson"
SEGMENT_BYTES = 64 << 20  # some 25,000 receipts

Durability: TypeAlias = Literal["write", "fsync"]
_Identity: TypeAlias = tuple[int, int]  # st_dev, st_ino

_ORIGIN = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_ORIGIN_BYTES - 1}}}")
_PROBE = b" " * MAX_LINE_BYTES


class Unsynced(EvidenceUnwritable):
    """The line was whole and in sight, but not durable: it has its place in the log, and is written again later."""


@dataclass(frozen=True, slots=True)
class Loss:
    """A segment that was harmed by somebody else while it was the newest.

    It held `lines` lines from number `first` on, which are gone or may be; a line's number in its log is the receipt's
    `log.seq`.  `harm` says what was seen, for a log record.
    """

    segment: str
    first: int
    lines: int
    harm: str


class WalWriter:
    """Appends lines to one log.  Every write is whole or undone; for one thread."""

    def __init__(
        self,
        directory: Path,
        origin: str,
        *,
        on_loss: Callable[[Loss], None],
        durability: Durability = "write",
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Open a new log; raises EvidenceDirectoryError, also where `origin` was used before.

        `on_loss` is called by `append` and `probe`, once for each segment, before they go on in another one.

        `durability: write` survives the process, `fsync` (after each append) also the machine.

        An append takes some 5 us with `write`.  With `fsync` it takes as long as the disk, in which the caller's event
        loop stands still with all its exchanges: 2 to 4 ms in the mean and 8 ms at the 99th percentile were measured on
        virtual disks, so one worker signs at most 250 to 500 receipts a second.  Appends are not gathered into groups.
        Choose `fsync` for few decisions of great weight, with more workers, on a disk whose cache outlives the power.
        """
        if not _ORIGIN.fullmatch(origin):
            raise EvidenceDirectoryError(f"{origin!r} cannot name a log: use letters, digits, dot, hyphen, underscore")
        self.origin = origin
        self.healthy = True
        self._on_loss = on_loss
        self._folder = directory / FOLDER
        self._fsync = durability == "fsync"
        self._segment_bytes = segment_bytes
        self._segment = 0
        self._first = 0
        self._lines = 0
        self._good_bytes = 0
        self._torn = False
        self._closed = False
        self._owed = b""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor, self._path, self._identity = self._open()
        except OSError as error:
            raise EvidenceDirectoryError(
                f"{self._folder} cannot hold a new log ({error.strerror}): make evidence.directory writable"
            ) from error

    def append(self, line: bytes) -> None:
        """Write one line, its newline included.

        Raises Unsynced where the line could not be made durable after it was in sight: it keeps its place, and nothing
        else is written before it.  Raises EvidenceUnwritable of no subclass where it cannot be written whole: nothing
        of it is then left.  Either way a later append may work again.
        """
        if self._owed and not self.probe():
            raise EvidenceUnwritable("the log cannot be written: an earlier line is still to be written again")
        self._write_line(line)

    def probe(self) -> bool:
        """Whether an append would work now.

        After a failure it tries, by writing blanks, which no reader takes for a line, and cutting them off; if that
        works, it writes again what is owed.  A lost segment counts as a failure.
        """
        if self.healthy:
            self._notice_loss()
        if not self.healthy:
            try:
                self._write(_PROBE)
                self._cut()
                if self._owed:
                    self._write_line(self._owed)
            except EvidenceUnwritable:
                return False
        return True

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _write_line(self, line: bytes) -> None:
        try:
            self._write(line)
        except Unsynced:
            self._owed, self._closed = line, True
            raise
        self._owed = b""
        self._good_bytes += len(line)
        self._lines += 1

    def _write(self, data: bytes) -> None:
        raised: type[EvidenceUnwritable] = EvidenceUnwritable
        try:
            self._make_ready(len(data))
            self._write_whole(data)
            raised = Unsynced
            self._sync()
        except OSError as error:
            self.healthy = False
            self._cut()
            raise raised(f"the log cannot be written ({error.strerror})") from error
        self.healthy = True

    def _make_ready(self, size: int) -> None:
        self._notice_loss()
        if self._torn:
            self._truncate()
        if self._closed or (self._good_bytes and self._good_bytes + size > self._segment_bytes):
            self._rotate()

    def _notice_loss(self) -> None:
        """Give up a segment that is not what was written; its name is looked up, which takes some 4 us."""
        if self._closed or not (harm := self._harm()):
            return
        self.healthy, self._closed, self._torn = False, True, False
        self._on_loss(Loss(self._path.name, self._first, self._lines - self._first, harm))

    def _harm(self) -> str:
        try:
            now = self._path.stat()
        except OSError as error:
            return f"it cannot be found ({error.strerror})"
        if (now.st_dev, now.st_ino) != self._identity:
            return "another file has its name"
        if now.st_size < self._good_bytes:
            return "it was cut"
        return "somebody wrote into it" if now.st_size > self._good_bytes and not self._torn else ""

    def _write_whole(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def _sync(self) -> None:
        if self._fsync:
            os.fdatasync(self._descriptor)

    def _cut(self) -> None:
        """Remove what came after the last good byte; where even that fails, no append before it has succeeded."""
        self._torn = True
        with suppress(OSError):
            self._truncate()

    def _truncate(self) -> None:
        os.ftruncate(self._descriptor, self._good_bytes)
        self._sync()  # else a loss of power could bring back a line that the next segment holds
        self._torn = False

    def _rotate(self) -> None:
        self._segment += 1  # first, so that a number whose file was made in vain is not tried again
        following = self._open()
        os.close(self._descriptor)
        self._descriptor, self._path, self._identity = following
        self._first, self._good_bytes, self._closed = self._lines, 0, False

    def _open(self) -> tuple[int, Path, _Identity]:
        path = self._folder / f"{self.origin}.{self._segment}{SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if self._fsync:
                _fsync_folder(self._folder)
            made = path.stat()
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return descriptor, path, (made.st_dev, made.st_ino)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
