"""Verification of whole logs with pinned keys.

Checked, for each receipt: the signature over the exact bytes, by a pinned key; that the key named inside those bytes is
the one that signed; the place in the log (numbers from 0 without a gap, each with the digest of the one before, through
all segments).

**Not checked: whether receipts are missing at the end of a log, or whole logs.**  Both need signed checkpoints that
were kept elsewhere.  **Nor whether what a receipt states is true**, or was what the client received.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from extproc.core.receipt import Outcome
from extproc.errors import VerificationError
from extproc.evidence.document import Statement, parse_payload
from extproc.evidence.dsse import Envelope, pae
from extproc.evidence.keys import KeyRing
from extproc.evidence.lines import Corrupt, log_files, read_lines


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found to hold.

    `empty` are files of a folder without one whole line (of a worker that answered nothing, or after a failed fsync);
    `unfinished` are files that end in half a line, which no answer ever relied on.
    """

    receipts: int
    origins: tuple[str, ...]
    first_issued_at: str
    last_issued_at: str
    verdicts: Mapping[Outcome, int]
    empty: tuple[Path, ...]
    unfinished: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Segment:
    """One file, as far as it has been read; `digest` is that of its last payload."""

    path: Path
    first: Statement
    last: Statement
    digest: str


@dataclass(slots=True)
class _Tally:
    first_issued_at: str = ""
    last_issued_at: str = ""
    verdicts: Counter[Outcome] = field(default_factory=Counter)
    empty: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)

    def add(self, statement: Statement) -> None:
        """Count one receipt that holds."""
        self.verdicts[statement.verdict] += 1
        self.first_issued_at = min(self.first_issued_at or statement.issued_at, statement.issued_at)
        self.last_issued_at = max(self.last_issued_at, statement.issued_at)


def verify_envelope(envelope: Envelope, ring: KeyRing) -> Statement:
    """Check one receipt by itself, its place in a log aside, and return what was signed; raises VerificationError."""
    ring.verify(envelope.kid, envelope.signature, pae(envelope.payload))
    statement = parse_payload(envelope.payload)
    if statement.kid != envelope.kid:
        raise VerificationError("the receipt names another key than the one that signed it")
    return statement


def verify_logs(paths: Iterable[Path], ring: KeyRing) -> Verified:
    """Check files of envelopes, one log or segment of a log in each, and folders of such files (`*.ndjson`).

    Raises VerificationError, which names the first line that does not hold and why; also where there is no receipt at
    all, or a file that was named itself has none.  Raises OSError for what cannot be read.
    """
    tally = _Tally()
    logs: dict[str, list[_Segment]] = defaultdict(list)
    for path, named in _files(paths):
        segment = _verify_file(path, ring, tally)
        if segment is not None:
            logs[segment.first.origin].append(segment)
        elif named:
            raise VerificationError(f"{path}: holds no receipt")
        else:
            tally.empty.append(path)
    if not logs:
        raise VerificationError("there is no receipt to verify")
    for segments in logs.values():
        _join(sorted(segments, key=lambda segment: segment.first.seq))
    return Verified(
        receipts=tally.verdicts.total(),
        origins=tuple(sorted(logs)),
        first_issued_at=tally.first_issued_at,
        last_issued_at=tally.last_issued_at,
        verdicts=dict(tally.verdicts),
        empty=tuple(tally.empty),
        unfinished=tuple(tally.unfinished),
    )


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield each file, and whether it was named itself."""
    for path in paths:
        named = not path.is_dir()
        yield from ((file, named) for file in log_files(path))


def _verify_file(path: Path, ring: KeyRing, tally: _Tally) -> _Segment | None:
    segment: _Segment | None = None
    end = 0
    for line in read_lines(path):
        end = line.end
        if isinstance(line, Corrupt):
            raise VerificationError(f"{path}, line {line.number}: {line.reason}")
        try:
            statement = verify_envelope(line.envelope, ring)
            if segment is not None:
                _follow(segment.last, segment.digest, statement)
        except VerificationError as error:
            raise VerificationError(f"{path}, line {line.number}: {error}") from error
        first = statement if segment is None else segment.first
        segment = _Segment(path, first, last=statement, digest=sha256(line.envelope.payload).hexdigest())
        tally.add(statement)
    if path.stat().st_size > end:
        tally.unfinished.append(path)
    return segment


def _follow(before: Statement, digest: str, statement: Statement) -> None:
    """Check that a receipt stands directly after another one."""
    if statement.origin != before.origin:
        raise VerificationError(f"a receipt of log {statement.origin!r} in a file of log {before.origin!r}")
    if statement.seq != before.seq + 1:
        raise VerificationError(f"number {statement.seq} follows {before.seq}: receipts are missing, doubled or moved")
    if statement.prev != digest:
        raise VerificationError("the digest of the receipt before does not fit: one of the two is not the original")


def _join(segments: list[_Segment]) -> None:
    """Check that the files of one log hold it from its start and without a gap."""
    start = segments[0]
    if (start.first.seq, start.first.prev) != (0, ""):
        raise VerificationError(f"{start.path}, line 1: number {start.first.seq} is not the start of its log")
    for before, segment in pairwise(segments):
        try:
            _follow(before.last, before.digest, segment.first)
        except VerificationError as error:
            raise VerificationError(f"{segment.path}, line 1: {error}") from error
