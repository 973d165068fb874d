import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Issuer, Outcome, RequestFacts
from extproc.core.rules import Mode
from extproc.evidence.keys import KeyRing, Signer, create_signer, pseudonym
from extproc.evidence.ledger import Ledger
from extproc.evidence.wal import Durability, Loss, WalWriter

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def claims() -> Claims:
    request = RequestFacts("r1", "GET", "shop.example", "/a", "", "", "", "", 0, State.EMPTY)
    return Claims(Point.REQUEST, Outcome.ALLOW, Mode.ENFORCE, None, (), request)


@pytest.fixture(scope="session")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return create_signer(tmp_path_factory.mktemp("keys") / "signing.pem")


@pytest.fixture
def ring(signer: Signer) -> KeyRing:
    return KeyRing([signer.verifier])


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "receipts"


@pytest.fixture
def losses() -> list[Loss]:
    """What writers said was lost."""
    return []


@pytest.fixture
def open_ledger(directory: Path, signer: Signer, losses: list[Loss]) -> Iterator[Callable[..., Ledger]]:
    """Ledgers whose clock goes on by a second a receipt and whose ids count."""
    numbers = count(1)
    ticks = count()
    writers: list[WalWriter] = []
    default_signer = signer

    def open_(
        origin: str = "gateway-w0-1",
        *,
        segment_bytes: int = 1 << 20,
        durability: Durability = "write",
        signer: Signer = default_signer,
    ) -> Ledger:
        wal = WalWriter(directory, origin, on_loss=losses.append, durability=durability, segment_bytes=segment_bytes)
        writers.append(wal)
        return Ledger(
            signer=signer,
            wal=wal,
            issuer=Issuer("extproc", "gateway", "0.1.0", signer.kid),
            pseudonym=pseudonym(b"k" * 32),
            clock=lambda: START + timedelta(seconds=next(ticks)),
            new_receipt_id=lambda: f"0199c2f0-0000-7000-8000-{next(numbers):012}",
            new_trace_id=lambda: "f" * 32,
            new_span_id=lambda: "a" * 16,
        )

    yield open_
    for writer in writers:
        writer.close()


@pytest.fixture
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """A disk that is full: no file of this process grows past so many bytes (write(2) is short, then EFBIG)."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit
