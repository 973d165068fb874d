from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from demo.receipts_log import TRACE, Log

from extproc.core.receipt import Issuer
from extproc.evidence.keys import KeyRing, create_signer, pseudonym
from extproc.evidence.ledger import Ledger
from extproc.evidence.wal import WalWriter


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log without receipts; ids and span ids count, the clock stands."""
    directory = tmp_path / "receipts"
    signer = create_signer(directory / "signing.pem")
    wal = WalWriter(directory, "demo-w0", on_loss=print)
    receipts, spans = count(1), count(1)
    ledger = Ledger(
        signer=signer,
        wal=wal,
        issuer=Issuer("extproc", "demo", "0.1.0", signer.kid),
        pseudonym=pseudonym(b"k" * 32),
        clock=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        new_receipt_id=lambda: f"0199c2f0-0000-7000-8000-{next(receipts):012}",
        new_trace_id=lambda: TRACE,
        new_span_id=lambda: f"{next(spans):016x}",
    )
    yield Log(directory, ledger, signer.kid, KeyRing([signer.verifier]))
    wal.close()
