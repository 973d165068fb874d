"""Looking into a log without checking it: for people who want to see, not to know."""

from collections.abc import Iterator
from pathlib import Path

from extproc.errors import VerificationError
from extproc.evidence.document import Statement, parse_payload
from extproc.evidence.lines import Corrupt, read_lines


def statements(path: Path) -> Iterator[Statement]:
    """Yield what the receipts of a file state; **no signature and no chain is checked**.

    Raises VerificationError, which names the line, at one that is no receipt, and OSError.
    """
    for line in read_lines(path):
        if isinstance(line, Corrupt):
            raise VerificationError(f"{path}, line {line.number}: {line.reason}")
        try:
            yield parse_payload(line.envelope.payload)
        except VerificationError as error:
            raise VerificationError(f"{path}, line {line.number}: {error}") from error


def find(path: Path, receipt_id: str) -> Statement:
    """The receipt of this id, **unchecked**; raises VerificationError where there is none, else as statements."""
    for statement in statements(path):
        if statement.receipt_id == receipt_id:
            return statement
    raise VerificationError(f"{path}: holds no receipt {receipt_id}")
