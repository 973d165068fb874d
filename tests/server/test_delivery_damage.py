"""What is torn, damaged, unreadable or doubtful stops its own log at most and holds up no other."""

import errno
import logging
import os
import shutil

import pytest
from server.bench import CLAIMS, Bench, payloads

from extproc.evidence.cursor import segments
from extproc.evidence.keys import KeyRing
from extproc.evidence.verify import verify_logs
from extproc.evidence.wal import Unsynced, WalWriter


def test_a_line_without_its_end_is_shipped_only_once_it_is_whole(bench: Bench) -> None:
    bench.ledger("w").record(CLAIMS)
    segment = segments(bench.directory)[0]
    line = segment.read_bytes()
    segment.write_bytes(line[:-9])
    shipper = bench.shipper()
    torn = (shipper.ship_once(), shipper.observe(0))
    segment.write_bytes(line)
    assert (torn, shipper.observe(0), shipper.ship_once()) == ((0, 0), 1, 1)


@pytest.mark.parametrize("damage", [b"not an envelope", b""])
def test_a_damaged_line_stops_its_log_and_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    ledger = bench.ledger("a")
    before = ledger.record(CLAIMS)
    good = segments(bench.directory)[0].stat().st_size
    ledger.wal.append(damage + b"\n")
    ledger.record(CLAIMS)
    other = bench.ledger("b").record(CLAIMS)
    shipper = bench.shipper()
    while shipper.ship_once():
        pass
    assert (
        bench.delivered(),
        bench.cursors(),
        bench.measured("receipts_corrupt_logs"),
        [(record.levelno, vars(record)["segment"], vars(record)["offset"]) for record in caplog.records],
    ) == (
        payloads(before, other),
        bench.sizes() | {"a.0.ndjson": good},
        1,
        [(logging.ERROR, "a.0.ndjson", good)],
    )


def test_an_envelope_that_holds_no_receipt_stops_its_log(bench: Bench) -> None:
    ledger = bench.ledger("w")
    ledger.record(CLAIMS)
    segment = segments(bench.directory)[0]
    segment.write_bytes(segment.read_bytes().replace(b'{"payload":"ey', b'{"payload":"fy'))
    assert (bench.shipper().ship_once(), bench.measured("receipts_corrupt_logs"), bench.delivered()) == (0, 1, [])


def test_a_damaged_cursor_stops_its_log_and_is_left_for_a_person(bench: Bench) -> None:
    bench.ledger("w").record(CLAIMS)
    shipper = bench.shipper()
    cursor = bench.directory / "cursor" / "w.0.ndjson"
    cursor.write_text("x")
    assert (shipper.ship_once(), bench.measured("receipts_corrupt_logs"), cursor.read_text()) == (0, 1, "x")


def test_a_cursor_that_cannot_be_saved_does_not_make_the_batch_go_twice(bench: Bench) -> None:
    receipt = bench.ledger("w").record(CLAIMS)
    shipper = bench.shipper()
    shutil.rmtree(bench.directory / "cursor")
    with pytest.raises(FileNotFoundError):
        shipper.ship_once()
    assert (shipper.ship_once(), bench.delivered()) == (0, payloads(receipt))


def test_a_log_that_cannot_be_read_holds_up_no_other(bench: Bench) -> None:
    bench.ledger("a").record(CLAIMS)
    other = bench.ledger("b")
    unreadable = next(iter(segments(bench.directory)))
    kept = unreadable.rename(bench.directory / "kept")
    unreadable.mkdir()
    (unreadable / "x").touch()
    shipper = bench.shipper()
    with pytest.raises(IsADirectoryError):
        shipper.ship_once()
    receipts = [other.record(CLAIMS) for _ in range(2)]
    assert (shipper.ship_once(), bench.delivered()) == (2, payloads(*receipts))
    (unreadable / "x").unlink()
    unreadable.rmdir()
    kept.rename(unreadable)
    assert (shipper.ship_once(), len(bench.delivered())) == (1, 3)


def test_a_receipt_that_was_shipped_before_its_fsync_failed_costs_no_other_its_delivery(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = bench.ledger("w", wal=WalWriter(bench.directory, "w", on_loss=print, durability="fsync"))
    shipper = bench.shipper()
    first = ledger.record(CLAIMS)
    sync, shipped = os.fdatasync, []

    def ship_then_fail(_: int) -> None:
        shipped.append(shipper.ship_once())
        monkeypatch.setattr("os.fdatasync", sync)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("os.fdatasync", ship_then_fail)
    with pytest.raises(Unsynced):
        ledger.record(CLAIMS)
    later = [ledger.record(CLAIMS) for _ in range(3)]
    while shipper.ship_once():
        pass
    doubtful = bench.delivered()[1]
    assert (shipped, bench.delivered()) == ([2], payloads(first) + [doubtful] * 2 + payloads(*later))
    assert verify_logs([bench.directory / "wal"], KeyRing([bench.signer.verifier])).receipts == 5
