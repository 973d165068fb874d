from collections.abc import Callable
from pathlib import Path

import pytest

from extproc.core.receipt import Claims
from extproc.errors import VerificationError
from extproc.evidence.dsse import Envelope, encode
from extproc.evidence.ledger import Ledger
from extproc.evidence.reading import find, statements


@pytest.fixture
def log(directory: Path, open_ledger: Callable[[], Ledger], claims: Claims) -> Path:
    ledger = open_ledger()
    for _ in range(3):
        ledger.record(claims)
    return directory / "wal" / "gateway-w0-1.0.ndjson"


def test_statements_come_in_the_order_of_the_log(log: Path) -> None:
    assert [statement.seq for statement in statements(log)] == [0, 1, 2]


def test_a_receipt_is_found_by_its_id(log: Path) -> None:
    assert find(log, "0199c2f0-0000-7000-8000-000000000002").seq == 1


def test_a_receipt_that_is_not_there_is_an_error(log: Path) -> None:
    with pytest.raises(VerificationError, match=r"0\.ndjson: holds no receipt 0199$"):
        find(log, "0199")


def test_a_line_that_is_no_receipt_ends_the_reading_by_name(log: Path) -> None:
    good = log.read_bytes()
    log.write_bytes(good + b"nonsense\n")
    with pytest.raises(VerificationError, match=r"0\.ndjson, line 4: not JSON in UTF-8$"):
        list(statements(log))
    log.write_bytes(good + encode(Envelope(payload=b"{}", kid="k", signature=b"s")))
    with pytest.raises(VerificationError, match=r"0\.ndjson, line 4: a payload that lacks what every receipt states$"):
        list(statements(log))
