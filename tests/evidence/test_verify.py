from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from extproc.core.receipt import Claims, Outcome
from extproc.errors import VerificationError
from extproc.evidence.cursor import CursorStore
from extproc.evidence.dsse import Envelope, decode, encode, pae
from extproc.evidence.keys import KeyRing, Signer, create_signer
from extproc.evidence.ledger import Ledger
from extproc.evidence.verify import Verified, verify_logs


@pytest.fixture
def log(directory: Path, open_ledger: Callable[..., Ledger], claims: Claims) -> Path:
    """Five receipts of one log in one file."""
    ledger = open_ledger()
    for outcome in (Outcome.ALLOW, Outcome.DENY, Outcome.ALLOW, Outcome.ERROR, Outcome.ALLOW):
        ledger.record(replace(claims, outcome=outcome))
    return directory / "wal" / "gateway-w0-1.0.ndjson"


@pytest.fixture
def other(tmp_path: Path) -> Signer:
    return create_signer(tmp_path / "other.pem")


def refusal(paths: list[Path], ring: KeyRing) -> str:
    with pytest.raises(VerificationError) as caught:
        verify_logs(paths, ring)
    return str(caught.value)


def resigned(line: bytes, signer: Signer, change: Callable[[bytes], bytes]) -> bytes:
    payload = change(decode(line).payload)
    return encode(Envelope(payload=payload, kid=signer.kid, signature=signer.sign(pae(payload))))


def test_a_log_as_it_was_written_holds(log: Path, ring: KeyRing) -> None:
    assert verify_logs([log], ring) == Verified(
        receipts=5,
        origins=("gateway-w0-1",),
        first_issued_at="2026-01-02T03:04:05.000000Z",
        last_issued_at="2026-01-02T03:04:09.000000Z",
        verdicts={Outcome.ALLOW: 3, Outcome.DENY: 1, Outcome.ERROR: 1},
        empty=(),
        unfinished=(),
    )


def test_the_cursors_of_an_evidence_directory_are_no_logs(directory: Path, log: Path, ring: KeyRing) -> None:
    CursorStore(directory).save(log, log.stat().st_size)
    assert verify_logs([directory], ring) == verify_logs([log], ring)


def test_a_folder_holds_logs_in_segments_and_of_several_workers(
    directory: Path, open_ledger: Callable[..., Ledger], claims: Claims, ring: KeyRing
) -> None:
    first, second = open_ledger("w0", segment_bytes=1), open_ledger("w1")
    open_ledger("w2")
    for _ in range(12):  # segments 10 and 11 sort before 2 by name
        first.record(claims)
    second.record(claims)
    wal = directory / "wal"
    with (wal / "w1.0.ndjson").open("ab") as file:
        file.write(b'{"payload":"')
    verified = verify_logs([directory], ring)
    assert (verified.receipts, verified.origins) == (13, ("w0", "w1"))
    assert (verified.empty, verified.unfinished) == ((wal / "w2.0.ndjson",), (wal / "w1.0.ndjson",))


def test_nothing_is_not_verified(
    directory: Path, open_ledger: Callable[..., Ledger], tmp_path: Path, ring: KeyRing
) -> None:
    open_ledger("w0")
    empty = directory / "wal" / "w0.0.ndjson"
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    assert refusal([], ring) == "there is no receipt to verify"
    assert refusal([nowhere], ring) == "there is no receipt to verify"
    assert refusal([directory], ring) == "there is no receipt to verify"
    assert refusal([empty], ring) == f"{empty}: holds no receipt"
    with pytest.raises(FileNotFoundError):
        verify_logs([tmp_path / "missing"], ring)


def test_every_changed_byte_of_a_line_is_found(log: Path, ring: KeyRing) -> None:
    good = log.read_bytes()
    start = good.index(b"\n") + 1
    for position in range(start, good.index(b"\n", start), 7):
        changed = bytearray(good)
        changed[position] ^= 1
        log.write_bytes(changed)
        assert refusal([log], ring).startswith(f"{log}, line 2: ")


def test_a_key_that_is_not_pinned_proves_nothing(log: Path, signer: Signer) -> None:
    assert refusal([log], KeyRing([])) == f"{log}, line 1: key '{signer.kid}' is not among the pinned keys"


def test_a_receipt_must_name_the_key_that_signed_it(log: Path, ring: KeyRing, signer: Signer, other: Signer) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    lines[0] = resigned(lines[0], other, lambda payload: payload)
    log.write_bytes(b"".join(lines))
    both = KeyRing([signer.verifier, other.verifier])
    assert refusal([log], both) == f"{log}, line 1: the receipt names another key than the one that signed it"
    assert refusal([log], ring) == f"{log}, line 1: key '{other.kid}' is not among the pinned keys"


@pytest.mark.parametrize(
    ("order", "line", "reason"),
    [
        ([0, 1, 3, 4], 3, "number 3 follows 1: receipts are missing, doubled or moved"),
        ([0, 1, 1, 2], 3, "number 1 follows 1: receipts are missing, doubled or moved"),
        ([0, 2, 1], 2, "number 2 follows 0: receipts are missing, doubled or moved"),
        ([1, 2, 3], 1, "number 1 is not the start of its log"),
    ],
)
def test_a_missing_doubled_or_moved_receipt_is_found(
    log: Path, ring: KeyRing, order: list[int], line: int, reason: str
) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[index] for index in order))
    assert refusal([log], ring) == f"{log}, line {line}: {reason}"


def test_a_receipt_that_was_signed_anew_breaks_the_chain(log: Path, ring: KeyRing, signer: Signer) -> None:
    """Whoever has the key can rewrite one receipt, but then must rewrite all that follow."""
    lines = log.read_bytes().splitlines(keepends=True)
    lines[1] = resigned(lines[1], signer, lambda payload: payload.replace(b'"deny"', b'"allow"'))
    log.write_bytes(b"".join(lines))
    reason = "the digest of the receipt before does not fit: one of the two is not the original"
    assert refusal([log], ring) == f"{log}, line 3: {reason}"


def test_a_first_receipt_that_claims_a_predecessor_is_refused(log: Path, ring: KeyRing, signer: Signer) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(resigned(lines[0], signer, lambda payload: payload.replace(b'"prev":""', b'"prev":"00"')))
    assert refusal([log], ring) == f"{log}, line 1: number 0 is not the start of its log"


def test_a_file_holds_one_log(log: Path, open_ledger: Callable[..., Ledger], claims: Claims, ring: KeyRing) -> None:
    open_ledger("w9").record(claims)
    stranger = (log.parent / "w9.0.ndjson").read_bytes()
    log.write_bytes(log.read_bytes() + stranger)
    assert refusal([log], ring) == f"{log}, line 6: a receipt of log 'w9' in a file of log 'gateway-w0-1'"


def test_a_line_that_is_no_envelope_is_refused(log: Path, ring: KeyRing) -> None:
    log.write_bytes(log.read_bytes() + b"\n")
    assert refusal([log], ring) == f"{log}, line 6: not JSON in UTF-8"


def test_a_missing_segment_is_found(
    directory: Path, open_ledger: Callable[..., Ledger], claims: Claims, ring: KeyRing
) -> None:
    ledger = open_ledger("w0", segment_bytes=1)
    for _ in range(3):
        ledger.record(claims)
    (directory / "wal" / "w0.1.ndjson").unlink()
    last = directory / "wal" / "w0.2.ndjson"
    reason = "number 2 follows 0: receipts are missing, doubled or moved"
    assert refusal([directory], ring) == f"{last}, line 1: {reason}"
    assert refusal([last], ring) == f"{last}, line 1: number 2 is not the start of its log"


def test_the_same_file_twice_is_not_twice_the_evidence(log: Path, ring: KeyRing) -> None:
    assert refusal([log, log], ring) == f"{log}, line 1: number 0 follows 4: receipts are missing, doubled or moved"


def test_old_receipts_hold_after_a_key_rotation(
    directory: Path, open_ledger: Callable[..., Ledger], claims: Claims, signer: Signer, other: Signer
) -> None:
    open_ledger("before").record(claims)
    open_ledger("after", signer=other).record(claims)
    assert verify_logs([directory], KeyRing([signer.verifier, other.verifier])).receipts == 2
    assert "is not among the pinned keys" in refusal([directory], KeyRing([other.verifier]))
