from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.core.receipt import Claims
from extproc.errors import EvidenceDirectoryError, VerificationError
from extproc.evidence.cursor import Backlog, CursorStore, backlog, segments
from extproc.evidence.ledger import Ledger
from extproc.evidence.lines import read_lines


@pytest.fixture
def cursors(directory: Path) -> CursorStore:
    return CursorStore(directory)


def test_a_cursor_begins_at_nought_and_is_kept(directory: Path, cursors: CursorStore) -> None:
    segment = directory / "wal" / "w0.0.ndjson"
    before = cursors.load(segment)
    cursors.save(segment, 4711)
    assert (before, CursorStore(directory).load(segment)) == (0, 4711)
    assert [path.name for path in (directory / "cursor").iterdir()] == ["w0.0.ndjson"]


@pytest.mark.parametrize("content", [b"", b"-1", b"1\n", b"x", b"\xff", b"9" * 19])
def test_a_damaged_cursor_is_an_error_with_a_way_out(directory: Path, cursors: CursorStore, content: bytes) -> None:
    (directory / "cursor" / "w0.0.ndjson").write_bytes(content)
    with pytest.raises(EvidenceDirectoryError, match="is damaged: remove it, and its log is shipped again from"):
        cursors.load(Path("w0.0.ndjson"))


def test_a_cursor_that_cannot_be_read_is_an_error(directory: Path, cursors: CursorStore) -> None:
    (directory / "cursor" / "w0.0.ndjson").mkdir()
    with pytest.raises(EvidenceDirectoryError, match="is damaged"):
        cursors.load(Path("w0.0.ndjson"))


def test_a_folder_for_cursors_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "receipts").write_text("")
    with pytest.raises(EvidenceDirectoryError, match=r"\(Not a directory\): make evidence.directory writable"):
        CursorStore(tmp_path / "receipts")


def test_segments_are_listed_by_name(directory: Path, open_ledger: Callable[..., Ledger], claims: Claims) -> None:
    open_ledger("b", segment_bytes=1).record(claims)
    second = open_ledger("a", segment_bytes=1)
    second.record(claims)
    second.record(claims)
    assert [path.name for path in segments(directory)] == ["a.0.ndjson", "a.1.ndjson", "b.0.ndjson"]


def test_a_backlog_is_counted_by_the_numbers_of_its_receipts(
    directory: Path, open_ledger: Callable[..., Ledger], claims: Claims
) -> None:
    ledger = open_ledger()
    for _ in range(10):
        ledger.record(claims)
    (segment,) = segments(directory)
    third = [line.end for line in read_lines(segment)][2]
    with segment.open("ab") as file:
        file.write(b'{"half')
    assert backlog(segment, 0) == Backlog(receipts=10, oldest_issued_at="2026-01-02T03:04:05.000000Z")
    assert backlog(segment, third) == Backlog(receipts=7, oldest_issued_at="2026-01-02T03:04:08.000000Z")
    assert backlog(segment, segment.stat().st_size - 6) is None


def test_a_backlog_that_begins_or_ends_in_a_corrupt_line_is_an_error(
    directory: Path, open_ledger: Callable[..., Ledger], claims: Claims
) -> None:
    open_ledger().record(claims)
    (segment,) = segments(directory)
    with segment.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(VerificationError, match="not an envelope"):
        backlog(segment, 0)
    with pytest.raises(VerificationError, match=r"w0-1\.0\.ndjson, byte 1: not JSON in UTF-8"):
        backlog(segment, 1)
