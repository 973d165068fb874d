"""Where a verdict becomes evidence: its place in the log, its bytes, its signature, its line."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from extproc.core.canonical import canonical
from extproc.core.receipt import Claims, Issuer, Pseudonym, SignedReceipt, Stamp
from extproc.evidence.dsse import Envelope, encode, pae
from extproc.evidence.keys import Signer
from extproc.evidence.wal import Unsynced, WalWriter


@dataclass(slots=True, kw_only=True)
class Ledger:
    """One worker's log of receipts, from its start to its end; for one thread.

    `clock` gives an aware time; receipt ids are UUIDs (version 7), trace ids 32 and span ids 16 lower-case hexadecimal
    digits.  `issuer.kid` is the signer's.
    """

    signer: Signer
    wal: WalWriter
    issuer: Issuer
    pseudonym: Pseudonym
    clock: Callable[[], datetime]
    new_receipt_id: Callable[[], str]
    new_trace_id: Callable[[], str]
    new_span_id: Callable[[], str]
    _seq: int = field(default=0, init=False)
    _prev: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Refuse an issuer that names another key: nothing signed so would verify."""
        if self.issuer.kid != self.signer.kid:
            raise ValueError("issuer.kid is not the signer's kid")

    def probe(self) -> bool:
        """Whether an append would work now: what readiness asks, for without traffic nothing else finds out."""
        return self.wal.probe()

    def record(self, claims: Claims) -> SignedReceipt:
        """Sign the claims and write them; once this returns, the answer may leave.

        Nothing may come between, so it does not await.  Raises EvidenceUnwritable: then there is no receipt, and the
        next one takes the same place in the log.  Raises Unsynced, of the same code: then nobody may rely on the
        receipt either, but as somebody may have read it, its place is taken, and the log will hold it.
        """
        stamp = self._stamp(claims)
        payload = canonical(claims, stamp, self.pseudonym)
        signature = self.signer.sign(pae(payload))
        try:
            self.wal.append(encode(Envelope(payload=payload, kid=self.signer.kid, signature=signature)))
        except Unsynced:
            self._follow(payload)
            raise
        self._follow(payload)
        return SignedReceipt(stamp.receipt_id, payload, signature)

    def _follow(self, payload: bytes) -> None:
        """Give the next receipt its place: after this one."""
        self._seq += 1
        self._prev = sha256(payload).hexdigest()

    def _stamp(self, claims: Claims) -> Stamp:
        return Stamp(
            receipt_id=self.new_receipt_id(),
            issued_at=self.clock().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            issuer=self.issuer,
            trace_id=claims.trace.trace_id if claims.trace is not None else self.new_trace_id(),
            span_id=self.new_span_id(),
            origin=self.wal.origin,
            seq=self._seq,
            prev=self._prev,
        )
