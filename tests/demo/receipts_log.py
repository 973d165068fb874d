"""A log of receipts to look into, and the spans that it would be shipped as."""

from dataclasses import dataclass, replace
from pathlib import Path

from extproc.core.engine import PolicyIdentity
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Outcome, PolicyFacts, RequestFacts, SignedReceipt
from extproc.core.rules import Mode
from extproc.evidence.keys import KeyRing
from extproc.evidence.ledger import Ledger
from extproc.telemetry.otlp_messages import Span
from extproc.telemetry.spans import receipt_span

TRACE = "0a" * 16
_REQUEST = RequestFacts("r1", "POST", "shop.example", "/orders", "", "", "", "", 0, State.EMPTY)
_POLICY = PolicyFacts(
    "extproc/request/decision", PolicyIdentity("embedded", "1.0", "", "aa", "bb"), "", "cc" * 32, "dd" * 32
)
ALLOW = Claims(Point.REQUEST, Outcome.ALLOW, Mode.ENFORCE, None, (), _REQUEST, policy=_POLICY)


@dataclass(frozen=True)
class Log:
    """An evidence directory, and the key that everything in it is signed with."""

    directory: Path
    ledger: Ledger
    kid: str
    ring: KeyRing

    def record(self, claims: Claims) -> SignedReceipt:
        """Write one receipt."""
        return self.ledger.record(claims)

    def span(self, receipt: SignedReceipt) -> Span:
        """The span that the shipper would send for it."""
        return receipt_span(receipt.payload, receipt.signature, self.kid, {}).span

    def exchange(self, outcome: Outcome = Outcome.ALLOW, *reasons: str) -> tuple[SignedReceipt, SignedReceipt]:
        """The receipts of an allowed request and of its response."""
        request = self.record(ALLOW)
        claims = replace(ALLOW, phase=Point.RESPONSE, outcome=outcome, reasons=reasons)
        return request, self.record(replace(claims, parent_receipt=request.receipt_id))
