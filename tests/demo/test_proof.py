import pytest
from demo.receipts_log import TRACE, Log

from extproc.core.receipt import Outcome
from extproc.demo.proof import Evidence, envelope_of, receipt_ids
from extproc.errors import VerificationError
from extproc.telemetry.otlp_messages import KeyValue, Span


def attribute(span: Span, key: str) -> KeyValue:
    return next(each for each in span.attributes if each.key == key)


def test_the_receipts_of_an_exchange_are_proven_in_the_order_of_their_phases(log: Log) -> None:
    request, response = log.exchange(Outcome.DENY, "card_number_leak")
    evidence = Evidence(log.directory, [log.span(request), log.span(response)], log.ring)

    proofs = evidence.proofs(response.receipt_id)

    assert [proof.statement.receipt_id for proof in proofs] == [request.receipt_id, response.receipt_id]
    assert [proof.in_span for proof in proofs] == [True, True]
    last = proofs[-1]
    assert (last.reason, last.entrypoint, last.engine, last.trace_id) == (
        "card_number_leak",
        "extproc/request/decision",
        "embedded",
        TRACE,
    )


def test_a_receipt_whose_span_did_not_come_is_proven_in_the_log_alone(log: Log) -> None:
    request, response = log.exchange()

    proofs = Evidence(log.directory, [log.span(request)], log.ring).proofs(response.receipt_id)

    assert [proof.in_span for proof in proofs] == [True, False]


def test_an_unknown_id_has_no_proof(log: Log) -> None:
    log.exchange()

    assert Evidence(log.directory, [], log.ring).proofs("somebody-elses") == ()


def test_a_span_with_another_payload_than_was_signed_does_not_hold(log: Log) -> None:
    span = log.span(log.exchange()[0])
    payload = attribute(span, "extproc.receipt.payload").value
    payload.string_value = payload.string_value.replace("allow", "deny")

    with pytest.raises(VerificationError, match="signature does not fit"):
        Evidence(log.directory, [span], log.ring)


def test_a_span_whose_receipt_the_log_does_not_have_does_not_hold(log: Log) -> None:
    span = log.span(log.exchange()[1])
    (segment,) = (log.directory / "wal").iterdir()
    segment.write_bytes(segment.read_bytes().splitlines(keepends=True)[0])

    with pytest.raises(VerificationError, match="is not what the log has"):
        Evidence(log.directory, [span], log.ring)


def test_a_signature_that_is_no_base64_does_not_hold(log: Log) -> None:
    span = log.span(log.exchange()[0])
    attribute(span, "extproc.receipt.signature").value.string_value = "?"

    with pytest.raises(VerificationError, match="no base64"):
        envelope_of(span)


def test_a_span_of_somebody_else_carries_no_receipt() -> None:
    assert envelope_of(Span(name="ingress")) is None


def test_the_ids_of_a_log_are_those_of_its_receipts(log: Log) -> None:
    receipts = log.exchange()

    assert receipt_ids(log.directory) == {receipt.receipt_id for receipt in receipts}
