import errno
import logging
import os
import shutil
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from server.bench import CLAIMS, ISSUED_AT, Bench, payloads, text

from extproc.core.point import Point
from extproc.demo.collector import Conduct, PartialSuccess
from extproc.errors import VerificationError
from extproc.evidence.cursor import segments
from extproc.evidence.dsse import pae
from extproc.evidence.keys import KeyRing, create_signer
from extproc.evidence.verify import verify_logs
from extproc.evidence.wal import Unsynced, WalWriter
from extproc.server.delivery import MAX_BATCHES
from extproc.telemetry.otlp import MAX_BATCH_SPANS, ExportError
from extproc.telemetry.otlp_messages import Span


def test_a_failed_export_moves_no_cursor(bench: Bench) -> None:
    bench.ledger("w").record(CLAIMS)
    bench.receiver.conduct = Conduct.REFUSE
    with pytest.raises(ExportError):
        bench.shipper().ship_once()
    assert (bench.cursors(), bench.delivered()) == ({"w.0.ndjson": 0}, [])


def test_a_restarted_shipper_goes_on_where_the_cursor_is(bench: Bench) -> None:
    ledger = bench.ledger("w")
    first = ledger.record(CLAIMS)
    bench.shipper().ship_once()
    second = ledger.record(CLAIMS)
    again = replace(bench, registry=CollectorRegistry()).shipper()
    assert (again.ship_once(), again.ship_once(), bench.delivered()) == (1, 0, payloads(first, second))


def test_a_log_that_appears_later_is_found(bench: Bench) -> None:
    shipper = bench.shipper()
    assert shipper.ship_once() == 0
    receipt = bench.ledger("late").record(CLAIMS)
    assert (shipper.ship_once(), bench.delivered()) == (1, payloads(receipt))


def test_a_partial_success_is_logged_and_counted_and_the_batch_is_not_sent_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = bench.ledger("w")
    receipts = [ledger.record(CLAIMS) for _ in range(3)]
    bench.receiver.conduct = PartialSuccess(2, "attribute too long")
    shipper = bench.shipper()
    assert (shipper.ship_once(), shipper.ship_once()) == (3, 0)
    assert (
        bench.delivered(),
        bench.cursors() == bench.sizes(),
        bench.measured("receipts_shipped_total"),
        bench.measured("receipts_rejected_total"),
        [record.getMessage() for record in caplog.records],
    ) == (
        payloads(receipts[2]),
        True,
        1,
        2,
        [
            "the collector refused receipts for good: the collector refused 2 spans: attribute too long",
        ],
    )


def test_a_batch_holds_no_more_spans_than_collectors_expect(bench: Bench) -> None:
    ledger = bench.ledger("w")
    for _ in range(MAX_BATCH_SPANS + 1):
        ledger.record(CLAIMS)
    shipper = bench.shipper()
    assert (shipper.ship_once(), shipper.ship_once(), shipper.ship_once()) == (MAX_BATCH_SPANS, 1, 0)


def test_spans_of_another_producer_go_in_a_batch_with_its_own_resource(bench: Bench) -> None:
    before = bench.ledger("w")
    before.record(CLAIMS)
    bench.ledger("w", version="0.2.0", wal=before.wal).record(CLAIMS)
    shipper = bench.shipper()
    assert (shipper.ship_once(), shipper.ship_once()) == (1, 1)
    assert [
        attribute.value.string_value
        for sent in bench.receiver.received()
        for attribute in sent.resource.attributes
        if attribute.key == "service.version"
    ] == ["0.1.0", "0.2.0"]


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


def test_every_log_has_its_turn_however_many_there_are(bench: Bench) -> None:
    ledgers = [bench.ledger(f"w{number:02}") for number in range(MAX_BATCHES + 4)]
    for ledger in ledgers:
        ledger.record(CLAIMS)
    shipper = bench.shipper()
    first = shipper.ship_once()
    for ledger in ledgers[:MAX_BATCHES]:
        ledger.record(CLAIMS)  # as busy as ever
    shipper.ship_once()
    assert (first, {name for name, offset in bench.cursors().items() if offset == 0}) == (MAX_BATCHES, set())


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


def test_the_response_span_links_to_the_request_span(bench: Bench) -> None:
    ledger = bench.ledger("w")
    request = ledger.record(CLAIMS)
    ledger.record(replace(CLAIMS, phase=Point.RESPONSE, parent_receipt=request.receipt_id))
    bench.shipper().ship_once()
    first, second = bench.receiver.spans()
    assert list(second.links) == [Span.Link(trace_id=first.trace_id, span_id=first.span_id)]


def test_a_span_alone_verifies_its_receipt_with_the_pinned_key_and_with_no_other(bench: Bench, tmp_path: Path) -> None:
    bench.ledger("w").record(CLAIMS)
    bench.shipper().ship_once()
    span = bench.receiver.spans()[0]
    kid, signature, payload = (text(span, f"extproc.receipt.{name}") for name in ("key_id", "signature", "payload"))
    KeyRing([bench.signer.verifier]).verify(kid, b64decode(signature), pae(payload.encode()))
    with pytest.raises(VerificationError):
        KeyRing([create_signer(tmp_path / "other.pem").verifier]).verify(
            kid, b64decode(signature), pae(payload.encode())
        )


def test_the_backlog_is_measured_in_receipts_and_in_the_age_of_the_oldest(bench: Bench) -> None:
    for origin in ("a", "b"):
        ledger = bench.ledger(origin)
        for _ in range(3):
            ledger.record(CLAIMS)
    shipper = bench.shipper()
    before = (
        shipper.observe(ISSUED_AT.timestamp() + 42),
        bench.measured("receipts_unshipped"),
        bench.measured("receipts_oldest_unshipped_age_seconds"),
    )
    shipper.ship_once()
    after = (
        shipper.observe(ISSUED_AT.timestamp() + 42),
        bench.measured("receipts_unshipped"),
        bench.measured("receipts_oldest_unshipped_age_seconds"),
    )
    assert (before, after) == ((6, 6, 42), (0, 0, 0))


def test_a_clock_that_went_back_makes_no_negative_age(bench: Bench) -> None:
    bench.ledger("w").record(CLAIMS)
    assert (bench.shipper().observe(0), bench.measured("receipts_oldest_unshipped_age_seconds")) == (1, 0)


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
