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


def test_the_beginning_of_an_id_is_enough_where_one_receipt_has_it(log: Path) -> None:
    assert find(log, "0199c2f0-0000-7000-8000-000000000003").seq == 2
    with pytest.raises(VerificationError, match=r"0\.ndjson: 3 receipts begin with 0199: give more of the id$"):
        find(log, "0199")


def test_a_receipt_that_is_not_there_is_an_error(log: Path) -> None:
    with pytest.raises(VerificationError, match=r"0\.ndjson: holds no receipt 0198$"):
        find(log, "0198")


def test_a_folder_s_logs_are_read_as_one(
    directory: Path, log: Path, open_ledger: Callable[..., Ledger], claims: Claims
) -> None:
    open_ledger("gateway-w1-1").record(claims)
    assert [(statement.origin, statement.seq) for statement in statements(directory)] == [
        *(("gateway-w0-1", seq) for seq in range(3)),
        ("gateway-w1-1", 0),
    ]
    assert find(directory, "0199c2f0-0000-7000-8000-000000000004").origin == "gateway-w1-1"
    log.unlink()
    assert len(list(statements(directory / "wal"))) == 1


def test_a_folder_without_a_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match=r"holds no log$"):
        list(statements(tmp_path))


def test_a_line_that_is_no_receipt_ends_the_reading_by_name(log: Path) -> None:
    good = log.read_bytes()
    log.write_bytes(good + b"nonsense\n")
    with pytest.raises(VerificationError, match=r"0\.ndjson, line 4: not JSON in UTF-8$"):
        list(statements(log))
    log.write_bytes(good + encode(Envelope(payload=b"{}", kid="k", signature=b"s")))
    with pytest.raises(VerificationError, match=r"0\.ndjson, line 4: a payload that lacks what every receipt states$"):
        list(statements(log))
