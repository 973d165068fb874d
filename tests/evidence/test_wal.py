import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from extproc.errors import EvidenceDirectoryError, EvidenceUnwritable
from extproc.evidence.dsse import MAX_LINE_BYTES, Envelope, encode
from extproc.evidence.lines import Corrupt, Entry, read_lines
from extproc.evidence.wal import Durability, Loss, WalWriter

ONE, TWO, THREE = (Envelope(payload=name, kid="k", signature=b"s") for name in (b"one", b"two", b"three"))


@pytest.fixture
def writer(directory: Path, losses: list[Loss]) -> Iterator[WalWriter]:
    writer = WalWriter(directory, "w0", on_loss=losses.append)
    yield writer
    writer.close()


def content(directory: Path, segment: int = 0) -> bytes:
    return (directory / "wal" / f"w0.{segment}.ndjson").read_bytes()


@contextmanager
def full_device(path: Path) -> Iterator[None]:
    """Put /dev/full, which can be neither written nor cut, in the place of an open file."""
    (descriptor,) = (int(link.name) for link in Path("/proc/self/fd").iterdir() if _target(link) == str(path))
    kept, full = os.dup(descriptor), os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, descriptor)
    try:
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(full)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # the descriptor that listed the folder
        return ""


@pytest.mark.parametrize("durability", ["write", "fsync"])
def test_lines_are_in_the_file_once_append_returns(directory: Path, durability: Durability) -> None:
    writer = WalWriter(directory, "w0", on_loss=print, durability=durability)
    writer.append(b"one\n")
    writer.append(b"two\n")
    assert content(directory) == b"one\ntwo\n"
    assert stat.S_IMODE((directory / "wal" / "w0.0.ndjson").stat().st_mode) == 0o600
    writer.close()


def test_an_origin_is_used_once(directory: Path, writer: WalWriter) -> None:
    with pytest.raises(EvidenceDirectoryError, match=r"cannot hold a new log \(File exists\)"):
        WalWriter(directory, writer.origin, on_loss=print)


@pytest.mark.parametrize("origin", ["", ".", "../w0", "a/b", "a b", "é", "a\n", "x" * 97])
def test_an_origin_is_a_plain_file_name(directory: Path, origin: str) -> None:
    with pytest.raises(EvidenceDirectoryError, match="cannot name a log: use letters, digits, dot"):
        WalWriter(directory, origin, on_loss=print)
    assert not directory.exists()


def test_a_folder_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "receipts").write_text("")
    with pytest.raises(EvidenceDirectoryError, match=r"\(Not a directory\): make evidence.directory writable"):
        WalWriter(tmp_path / "receipts", "w0", on_loss=print)


def test_a_full_disk_leaves_whole_lines_and_recovers(
    directory: Path, writer: WalWriter, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    writer.append(b"one\n")
    with file_size_limit(6):
        with pytest.raises(EvidenceUnwritable, match="the log cannot be written"):
            writer.append(b"three\n")
        assert (content(directory), writer.healthy, writer.probe()) == (b"one\n", False, False)
    writer.append(b"two\n")
    assert (content(directory), writer.healthy) == (b"one\ntwo\n", True)


def test_a_probe_finds_out_that_the_disk_has_room_again_and_leaves_nothing(
    directory: Path, writer: WalWriter, file_size_limit: Callable[[int], AbstractContextManager[None]]
) -> None:
    assert writer.probe()
    with file_size_limit(2), pytest.raises(EvidenceUnwritable):
        writer.append(b"one\n")
    assert (writer.probe(), writer.healthy, content(directory)) == (True, True, b"")


def test_a_tail_that_cannot_be_cut_at_once_is_cut_before_the_next_line(directory: Path, writer: WalWriter) -> None:
    path = directory / "wal" / "w0.0.ndjson"
    writer.append(b"one\n")
    with full_device(path):
        with pytest.raises(EvidenceUnwritable, match="No space left on device"):
            writer.append(b"two\n")
        with pytest.raises(EvidenceUnwritable, match="Invalid argument"):
            writer.append(b"two\n")
    path.write_bytes(b"one\ntw")  # what a short write would have left
    writer.append(b"three\n")
    assert content(directory) == b"one\nthree\n"


def test_a_log_goes_on_in_the_next_segment(directory: Path) -> None:
    writer = WalWriter(directory, "w0", on_loss=print, segment_bytes=8)
    for line in (b"one\n", b"two\n", b"three\n", b"longer than a segment\n", b"five\n"):
        writer.append(line)
    assert [content(directory, number) for number in range(4)] == [
        b"one\ntwo\n",
        b"three\n",
        b"longer than a segment\n",
        b"five\n",
    ]
    writer.close()


def test_a_segment_that_cannot_be_made_is_tried_again_under_another_name(directory: Path) -> None:
    writer = WalWriter(directory, "w0", on_loss=print, segment_bytes=4)
    writer.append(b"one\n")
    (directory / "wal" / "w0.1.ndjson").mkdir()
    with pytest.raises(EvidenceUnwritable, match="File exists"):
        writer.append(b"two\n")
    writer.append(b"two\n")
    assert (content(directory), content(directory, 2)) == (b"one\n", b"two\n")
    writer.close()


def test_whole_lines_are_read_from_an_offset_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, second = encode(ONE), encode(TWO)
    path.write_bytes(first + second + encode(THREE)[:-1])
    end = len(first + second)
    assert list(read_lines(path)) == [Entry(1, len(first), ONE), Entry(2, end, TWO)]
    assert list(read_lines(path, len(first))) == [Entry(1, end, TWO)]
    assert list(read_lines(path, end)) == []


def test_a_reader_follows_a_log_that_grows(directory: Path, writer: WalWriter) -> None:
    lines = read_lines(directory / "wal" / "w0.0.ndjson")
    writer.append(encode(ONE))
    assert next(lines) == Entry(1, len(encode(ONE)), ONE)
    writer.append(encode(TWO))
    assert next(lines) == Entry(2, len(encode(ONE) + encode(TWO)), TWO)
    assert list(lines) == []


def test_a_log_of_many_blocks_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(encode(ONE) * 2_000)
    assert len(path.read_bytes()) > 3 * 65_536
    size = len(encode(ONE))
    assert list(read_lines(path)) == [Entry(number, number * size, ONE) for number in range(1, 2_001)]


def test_a_corrupt_line_is_reported_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first = encode(ONE)
    path.write_bytes(first + bytes(10) + b"\n" + first)
    assert list(read_lines(path)) == [
        Entry(1, len(first), ONE),
        Corrupt(2, len(first) + 11, "not JSON in UTF-8"),
        Entry(3, len(first) + 11 + len(first), ONE),
    ]


def test_garbage_without_a_newline_is_reported_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(65_536) + bytes(MAX_LINE_BYTES + 1))
    reason = "a line of more than 4096 bytes"
    assert list(read_lines(path)) == [Corrupt(1, 65_536, reason), Corrupt(2, 65_536 + MAX_LINE_BYTES + 1, reason)]
