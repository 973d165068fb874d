import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from extproc.core.events import JSON
from extproc.core.receipt import Claims, SignedReceipt
from extproc.core.trace import TraceContext
from extproc.errors import EvidenceUnwritable
from extproc.evidence.dsse import Envelope, pae
from extproc.evidence.keys import KeyRing, Signer
from extproc.evidence.ledger import Ledger
from extproc.evidence.lines import Entry, read_lines
from extproc.evidence.verify import verify_logs


def place(receipt: SignedReceipt) -> tuple[JSON, JSON]:
    log = json.loads(receipt.payload)["log"]
    return log["seq"], log["prev"]


def test_a_receipt_is_signed_and_in_the_log_once_it_is_returned(
    directory: Path, open_ledger: Callable[..., Ledger], claims: Claims, signer: Signer
) -> None:
    receipt = open_ledger().record(claims)
    path = directory / "wal" / "gateway-w0-1.0.ndjson"
    envelope = Envelope(payload=receipt.payload, kid=signer.kid, signature=receipt.signature)
    assert list(read_lines(path)) == [Entry(1, path.stat().st_size, envelope)]
    signer.verifier.verify(receipt.signature, pae(receipt.payload))
    document = json.loads(receipt.payload)
    assert receipt.receipt_id == document["receipt_id"] == "0199c2f0-0000-7000-8000-000000000001"
    assert document["issued_at"] == "2026-01-02T03:04:05.000000Z"
    assert document["issuer"] == {"service": "extproc", "instance": "gateway", "version": "0.1.0", "kid": signer.kid}


def test_receipts_are_numbered_and_chained(open_ledger: Callable[..., Ledger], claims: Claims) -> None:
    ledger = open_ledger()
    receipts = [ledger.record(claims) for _ in range(3)]
    digests = [sha256(receipt.payload).hexdigest() for receipt in receipts]
    assert [place(receipt) for receipt in receipts] == [(0, ""), (1, digests[0]), (2, digests[1])]


def test_the_span_belongs_to_the_trace_of_the_exchange_or_to_a_new_one(
    open_ledger: Callable[..., Ledger], claims: Claims
) -> None:
    ledger = open_ledger()
    alone = ledger.record(claims)
    traced = ledger.record(replace(claims, trace=TraceContext("1" * 32, "2" * 16, sampled=False)))
    assert [json.loads(receipt.payload)["trace"] for receipt in (alone, traced)] == [
        {"trace_id": "f" * 32, "span_id": "a" * 16},
        {"trace_id": "1" * 32, "span_id": "a" * 16, "parent_span_id": "2" * 16},
    ]


def test_a_receipt_that_cannot_be_written_gives_its_place_to_the_next(
    directory: Path,
    open_ledger: Callable[..., Ledger],
    claims: Claims,
    ring: KeyRing,
    file_size_limit: Callable[[int], AbstractContextManager[None]],
) -> None:
    ledger = open_ledger()
    first = ledger.record(claims)
    size = (directory / "wal" / "gateway-w0-1.0.ndjson").stat().st_size
    with file_size_limit(size + 100):
        with pytest.raises(EvidenceUnwritable):
            ledger.record(claims)
        assert ledger.probe() is False
    assert ledger.probe()
    second = ledger.record(claims)
    assert place(second) == (1, sha256(first.payload).hexdigest())
    assert (ledger.probe(), verify_logs([directory], ring).receipts) == (True, 2)


def test_an_issuer_that_names_another_key_is_refused(open_ledger: Callable[..., Ledger]) -> None:
    ledger = open_ledger()
    with pytest.raises(ValueError, match=r"issuer\.kid is not the signer's kid"):
        replace(ledger, issuer=replace(ledger.issuer, kid="other"))
