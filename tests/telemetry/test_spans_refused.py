from collections.abc import Callable

import pytest

from extproc.core.events import JSON
from extproc.errors import VerificationError
from extproc.telemetry.spans import ReceiptSpan, receipt_span

Canonical = Callable[[JSON], bytes]


def build(payload: bytes) -> ReceiptSpan:
    return receipt_span(payload, b"s" * 64, "thumbprint", {})


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"kind":"decision","receipt_id":"r","issued_at":"yesterday"}',
        b'{"kind":1,"receipt_id":"r","issued_at":"2026-01-02T03:04:05Z"}',
        b'{"kind":"decision","receipt_id":"r","issued_at":"2026-01-02T03:04:05Z","trace":{"trace_id":"00"}}',
    ],
)
def test_a_payload_that_is_no_receipt_is_refused(payload: bytes) -> None:
    with pytest.raises(VerificationError, match="not a receipt"):
        build(payload)


@pytest.mark.parametrize("trace_id", ["00" * 16, "0a" * 15, "zz" * 16])
def test_an_identifier_that_opentelemetry_forbids_is_refused(
    document: dict[str, JSON], canonical: Canonical, trace_id: str
) -> None:
    document["trace"] = {"trace_id": trace_id, "span_id": "0b" * 8}
    with pytest.raises(VerificationError):
        build(canonical(document))


@pytest.mark.parametrize("field", ["kind", "receipt_id", "issued_at", "eval_us", "trace", "issuer", "parent_receipt"])
def test_a_required_field_of_the_wrong_type_is_refused(
    document: dict[str, JSON], canonical: Canonical, field: str
) -> None:
    document[field] = [1]
    with pytest.raises(VerificationError):
        build(canonical(document))


@pytest.mark.parametrize("issued_at", ["2026-01-02T03:04:05", "yesterday", "1969-12-31T23:59:59Z"])
def test_a_time_of_issue_that_is_none_is_refused(
    document: dict[str, JSON], canonical: Canonical, issued_at: str
) -> None:
    document["issued_at"] = issued_at
    with pytest.raises(VerificationError):
        build(canonical(document))
