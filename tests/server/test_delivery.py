"""What is in the logs reaches the collector in batches, from where the cursors are, and the backlog is measured."""

from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from server.bench import CLAIMS, ISSUED_AT, Bench, payloads, text

from extproc.core.point import Point
from extproc.demo.collector import Conduct, PartialSuccess
from extproc.errors import VerificationError
from extproc.evidence.dsse import pae
from extproc.evidence.keys import KeyRing, create_signer
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
