"""Looking into a log without checking it: for people who want to see, not to know."""

from collections.abc import Iterator
from pathlib import Path

from extproc.errors import VerificationError
from extproc.evidence.document import Statement, parse_payload
from extproc.evidence.lines import Corrupt, log_files, read_lines


def statements(path: Path) -> Iterator[Statement]:
    """Yield what the receipts of a file state, or of all logs below a folder; **no signature and no chain is checked**.

    Raises VerificationError, which names the line, at one that is no receipt, or where a folder has no log; OSError.
    """
    files = log_files(path)
    if not files:
        raise VerificationError(f"{path}: holds no log")
    for file in files:
        yield from _statements(file)


def _statements(path: Path) -> Iterator[Statement]:
    for line in read_lines(path):
        if isinstance(line, Corrupt):
            raise VerificationError(f"{path}, line {line.number}: {line.reason}")
        try:
            yield parse_payload(line.envelope.payload)
        except VerificationError as error:
            raise VerificationError(f"{path}, line {line.number}: {error}") from error


def find(path: Path, receipt_id: str) -> Statement:
    """The receipt whose id begins so, **unchecked**; raises VerificationError where not exactly one does.

    Else as statements.
    """
    found = {s.receipt_id: s for s in statements(path) if s.receipt_id.startswith(receipt_id)}
    match [*found.values()]:
        case [only]:
            return only
        case []:
            raise VerificationError(f"{path}: holds no receipt {receipt_id}")
        case several:
            raise VerificationError(f"{path}: {len(several)} receipts begin with {receipt_id}: give more of the id")
