"""A disk that takes a line and then fails to make it durable: by then a reader may have seen the line."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from extproc.core.receipt import Claims
from extproc.errors import EvidenceUnwritable
from extproc.evidence.cursor import CursorStore, segments
from extproc.evidence.keys import KeyRing
from extproc.evidence.ledger import Ledger
from extproc.evidence.lines import Entry, read_lines
from extproc.evidence.verify import verify_logs
from extproc.evidence.wal import Unsynced, WalWriter


@dataclass(slots=True)
class Disk:
    """The disk under `directory`: fdatasync fails at the calls whose numbers (from 1) are in `faults`."""

    directory: Path
    faults: set[int] = field(default_factory=set)
    calls: int = 0
    seen: list[bytes] = field(default_factory=list)

    def fdatasync(self, descriptor: int) -> None:
        """Let a reader see the whole of the newest segment, then sync or fail."""
        self.calls += 1
        if self.calls in self.faults:
            self.seen.append(max((self.directory / "wal").iterdir()).read_bytes())
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fsync(descriptor)

    def content(self) -> dict[str, bytes]:
        """Every segment."""
        return {path.name: path.read_bytes() for path in sorted((self.directory / "wal").iterdir())}


@pytest.fixture
def disk(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(directory)
    monkeypatch.setattr("os.fdatasync", disk.fdatasync)
    return disk


@pytest.fixture
def writer(disk: Disk) -> Iterator[WalWriter]:
    writer = WalWriter(disk.directory, "w0", on_loss=print, durability="fsync")
    yield writer
    writer.close()


def test_a_line_that_was_in_sight_is_cut_and_comes_first_in_the_next_segment(disk: Disk, writer: WalWriter) -> None:
    writer.append(b"one\n")
    disk.faults = {2}
    with pytest.raises(Unsynced, match=r"the log cannot be written \(Input/output error\)"):
        writer.append(b"two\n")
    after_the_fault = disk.content()
    writer.append(b"three\n")
    assert (disk.seen, after_the_fault, disk.content(), writer.healthy) == (
        [b"one\ntwo\n"],
        {"w0.0.ndjson": b"one\n"},
        {"w0.0.ndjson": b"one\n", "w0.1.ndjson": b"two\nthree\n"},
        True,
    )


def test_a_probe_pays_what_is_owed(disk: Disk, writer: WalWriter) -> None:
    disk.faults = {1}
    with pytest.raises(Unsynced):
        writer.append(b"one\n")
    assert (writer.healthy, writer.probe(), writer.healthy) == (False, True, True)
    assert disk.content() == {"w0.0.ndjson": b"", "w0.1.ndjson": b"one\n"}


def test_while_a_line_is_owed_no_other_takes_a_place(disk: Disk, writer: WalWriter) -> None:
    disk.faults = {1, 3, 5}  # the line; the blanks of the append; those of the probe
    with pytest.raises(Unsynced):
        writer.append(b"one\n")
    with pytest.raises(EvidenceUnwritable, match="an earlier line is still to be written") as refused:
        writer.append(b"two\n")
    assert (type(refused.value), writer.probe()) == (EvidenceUnwritable, False)
    writer.append(b"three\n")
    assert disk.content() == {"w0.0.ndjson": b"", "w0.1.ndjson": b"one\nthree\n"}
    assert disk.seen == [b"one\n", b" " * 4096, b" " * 4096]  # blanks are no line: the new segment is kept


def test_a_line_that_is_owed_may_fail_again(disk: Disk, writer: WalWriter) -> None:
    disk.faults = {1, 5}  # the line; then cut, blanks, cut; the line
    with pytest.raises(Unsynced):
        writer.append(b"one\n")
    with pytest.raises(EvidenceUnwritable) as refused:
        writer.append(b"two\n")
    assert type(refused.value) is EvidenceUnwritable
    writer.append(b"two\n")
    assert disk.content() == {"w0.0.ndjson": b"", "w0.1.ndjson": b"", "w0.2.ndjson": b"one\ntwo\n"}


def test_nothing_is_written_before_the_cut_is_durable(disk: Disk, writer: WalWriter) -> None:
    writer.append(b"one\n")
    disk.faults = {2, 3, 4}  # the line; its cut; the cut that the next append tries
    with pytest.raises(Unsynced):
        writer.append(b"two\n")
    with pytest.raises(EvidenceUnwritable):
        writer.append(b"three\n")
    assert disk.content() == {"w0.0.ndjson": b"one\n"}
    writer.append(b"three\n")
    assert disk.content() == {"w0.0.ndjson": b"one\n", "w0.1.ndjson": b"two\nthree\n"}


def test_a_segment_whose_folder_cannot_be_synced_is_let_go(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = WalWriter(directory, "w0", on_loss=print, durability="fsync", segment_bytes=4)
    writer.append(b"one\n")
    fsync = os.fsync
    before = set(Path("/proc/self/fd").iterdir())

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(EvidenceUnwritable):
        writer.append(b"two\n")
    monkeypatch.setattr("os.fsync", fsync)
    assert set(Path("/proc/self/fd").iterdir()) == before
    writer.append(b"two\n")
    assert Disk(directory).content() == {"w0.0.ndjson": b"one\n", "w0.2.ndjson": b"two\n"}
    writer.close()


def test_the_chain_holds_and_every_reader_finds_every_acknowledged_receipt(
    directory: Path, disk: Disk, open_ledger: Callable[..., Ledger], claims: Claims, ring: KeyRing
) -> None:
    ledger = open_ledger(durability="fsync")
    acknowledged = [ledger.record(claims)]
    first = directory / "wal" / "gateway-w0-1.0.ndjson"
    cursors = CursorStore(directory)
    disk.faults = {2}
    with pytest.raises(Unsynced):
        ledger.record(claims)
    cursors.save(first, len(disk.seen[0]))  # the shipper saw the line and sent it
    assert first.stat().st_size < cursors.load(first)
    acknowledged += [ledger.record(claims) for _ in range(3)]
    second = first.with_name("gateway-w0-1.1.ndjson")
    assert (segments(directory), cursors.load(second)) == ([first, second], 0)
    again, *others = [line.envelope.payload for line in read_lines(second) if isinstance(line, Entry)]
    sent = [line.envelope.payload for line in lines(disk.seen[0], directory)]
    assert ([sent[0], *others], again) == ([receipt.payload for receipt in acknowledged], sent[1])
    assert verify_logs([directory], ring).receipts == 5


def lines(content: bytes, directory: Path) -> list[Entry]:
    copy = directory / "copy"
    copy.write_bytes(content)
    return [line for line in read_lines(copy) if isinstance(line, Entry)]
