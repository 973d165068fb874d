"""A segment that somebody removes, replaces, cuts or writes into while it is being written."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from extproc.core.receipt import Claims
from extproc.errors import EvidenceUnwritable, VerificationError
from extproc.evidence.keys import KeyRing
from extproc.evidence.ledger import Ledger
from extproc.evidence.verify import verify_logs
from extproc.evidence.wal import Loss, WalWriter

Harm = Callable[[Path], object]


@pytest.fixture
def segment(directory: Path) -> Path:
    return directory / "wal" / "w0.0.ndjson"


def written(directory: Path, losses: list[Loss], **options: int) -> WalWriter:
    writer = WalWriter(directory, "w0", on_loss=losses.append, **options)
    writer.append(b"one\n")
    writer.append(b"two\n")
    return writer


def replace(path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    shutil.copy(path.with_suffix(".old"), path)


def content(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((directory / "wal").glob("*.ndjson"))}


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (Path.unlink, "it cannot be found (No such file or directory)"),
        (lambda path: path.rename(path.with_suffix(".old")), "it cannot be found (No such file or directory)"),
        (replace, "another file has its name"),
        (lambda path: path.write_bytes(b""), "it was cut"),
        (lambda path: path.write_bytes(b"one\ntwo\nx"), "somebody wrote into it"),
    ],
    ids=["removed", "moved", "replaced", "emptied", "written into"],
)
def test_the_next_line_goes_into_the_next_segment_and_the_loss_is_said_once(
    directory: Path, segment: Path, losses: list[Loss], harm: Harm, said: str
) -> None:
    writer = written(directory, losses)
    harm(segment)
    writer.append(b"three\n")
    writer.append(b"four\n")
    assert content(directory)["w0.1.ndjson"] == b"three\nfour\n"
    assert (losses, writer.healthy) == ([Loss("w0.0.ndjson", 0, 2, said)], True)
    writer.close()


def test_without_traffic_a_probe_finds_it_and_makes_the_log_ready(
    directory: Path, segment: Path, losses: list[Loss]
) -> None:
    writer = written(directory, losses)
    segment.unlink()
    assert (writer.probe(), writer.probe(), len(losses), content(directory)) == (True, True, 1, {"w0.1.ndjson": b""})
    writer.close()


def test_numbers_count_the_lines_of_the_whole_log(directory: Path, losses: list[Loss]) -> None:
    writer = written(directory, losses, segment_bytes=4)
    writer.append(b"six\n")
    (directory / "wal" / "w0.2.ndjson").unlink()
    writer.append(b"ten\n")
    assert losses == [Loss("w0.2.ndjson", 2, 1, "it cannot be found (No such file or directory)")]
    writer.close()


def test_where_there_is_no_place_to_go_on_nothing_is_acknowledged_until_there_is(
    directory: Path, losses: list[Loss]
) -> None:
    writer = written(directory, losses)
    shutil.rmtree(directory / "wal")
    for _ in range(2):
        with pytest.raises(EvidenceUnwritable, match=r"the log cannot be written \(No such file or directory\)"):
            writer.append(b"three\n")
    assert (writer.probe(), len(losses)) == (False, 1)
    (directory / "wal").mkdir()
    writer.append(b"three\n")
    assert (list(content(directory).values()), len(losses)) == ([b"three\n"], 1)
    writer.close()


def test_a_tail_of_our_own_that_could_not_be_cut_is_no_harm(
    directory: Path,
    segment: Path,
    losses: list[Loss],
    file_size_limit: Callable[[int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer = written(directory, losses)

    def fail(*_: int) -> None:
        raise OSError

    with monkeypatch.context() as patch, file_size_limit(10):
        patch.setattr("os.ftruncate", fail)
        with pytest.raises(EvidenceUnwritable):
            writer.append(b"three\n")
    assert segment.read_bytes() == b"one\ntwo\nth"
    writer.append(b"four\n")
    assert (content(directory), losses) == ({"w0.0.ndjson": b"one\ntwo\nfour\n"}, [])
    writer.close()


def test_the_gap_stays_visible_to_whoever_verifies(
    directory: Path, open_ledger: Callable[[], Ledger], claims: Claims, ring: KeyRing, losses: list[Loss]
) -> None:
    ledger = open_ledger()
    ledger.record(claims)
    (directory / "wal" / "gateway-w0-1.0.ndjson").unlink()
    ledger.record(claims)
    with pytest.raises(VerificationError, match=r"1\.ndjson, line 1: number 1 is not the start of its log"):
        verify_logs([directory], ring)
    assert [(loss.first, loss.lines) for loss in losses] == [(0, 1)]
