"""What must hold of every exchange, whatever was sent: no crash, no hang, nothing unseen behind the gateway."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from data.cases import Case
from data.driver import NOTHING, Reply
from data.upstream import Arrival

BY_ENVOY = "stopped by Envoy"
SHOWN = ("complete", "opaque", "empty")
"""The states in which a policy is asked."""
_TROUBLE = 500


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is looked at; `inspection` is that of the receipt's own phase, `body_digest` the request's."""

    id: str
    phase: str
    verdict: str
    status: int | None
    inspection: str
    body_digest: str

    @classmethod
    def read(cls, document: dict) -> "Receipt":
        phase, decision = document["phase"], document["decision"]
        return cls(
            id=document["receipt_id"],
            phase=phase,
            verdict=decision["verdict"],
            status=decision.get("status"),
            inspection=document["response" if phase == "response" else "request"]["inspection"],
            body_digest=document["request"].get("body_digest", ""),
        )


@dataclass(frozen=True, slots=True)
class Exchange:
    """One case, sent once: what the client got, what reached the upstream, and the receipts of its trace."""

    case: Case
    reply: Reply
    arrivals: tuple[Arrival, ...]
    receipts: tuple[Receipt, ...]

    @property
    def verdicts(self) -> tuple[Receipt, ...]:
        """The receipts of decisions; `error` records an exchange that ended before one was reached."""
        return tuple(receipt for receipt in self.receipts if receipt.verdict != "error")

    @property
    def seen(self) -> bool:
        """Whether the policy saw the request (or the response) and let it go on."""
        return bool(self.verdicts) and self.verdicts[-1].verdict == "allow"

    @property
    def outcome(self) -> str:
        """The state in which it was seen or by whose name it was refused, or that Envoy stopped it undecided."""
        return self.verdicts[-1].inspection if self.verdicts else BY_ENVOY

    @property
    def shown(self) -> list[bytes | None]:
        """What the policies said that they saw, at the request point and at the response point."""
        return [*(arrival.value(b"x-set-seen") for arrival in self.arrivals), self.reply.field(b"x-set-seen")]

    @property
    def decision(self) -> tuple[object, ...]:
        """What has to be the same whenever this case is sent."""
        return self.seen, self.outcome, self.reply.status, self.shown


def faults(exchange: Exchange) -> Iterator[str]:
    """What does not hold, in words; nothing, for a sound exchange."""
    yield from _of_the_answer(exchange)
    yield from _of_the_receipts(exchange)
    yield from _of_the_upstream(exchange)


def _of_the_answer(exchange: Exchange) -> Iterator[str]:
    status, verdicts = exchange.reply.status, exchange.verdicts
    if exchange.reply == NOTHING:
        yield "no answer came"
    if exchange.seen:
        if status != exchange.case.answer.status:
            yield f"allowed, and the client got {status}"
    elif status >= _TROUBLE:
        yield f"the gateway answered {status}"
    elif verdicts and verdicts[-1].status != status:
        yield f"the receipt says {verdicts[-1].status}, the client got {status}"
    elif exchange.outcome in SHOWN:
        yield f"refused as {exchange.outcome}"


def _of_the_receipts(exchange: Exchange) -> Iterator[str]:
    phases = [receipt.phase for receipt in exchange.verdicts]
    if len(phases) != len(set(phases)):
        yield f"several receipts of one verdict: {phases}"
    if len(exchange.receipts) > max(len(phases), 1):
        yield "more receipts than verdicts"


def _of_the_upstream(exchange: Exchange) -> Iterator[str]:
    """The body that the policy was shown is the one that arrived; what it was not shown did not arrive."""
    allowed = {
        receipt.id.encode(): receipt
        for receipt in exchange.receipts
        if (receipt.phase, receipt.verdict) == ("request", "allow")
    }
    if len(exchange.arrivals) != len(allowed):
        yield f"{len(exchange.arrivals)} requests reached the upstream, {len(allowed)} were allowed"
    for arrival in exchange.arrivals:
        claimed = allowed.get(arrival.value(b"x-extproc-receipt-id") or b"")
        if claimed is None:
            yield "reached the upstream without the id of its receipt"
        elif claimed.inspection not in SHOWN:
            yield f"reached the upstream as {claimed.inspection}"
        elif claimed.body_digest != hashlib.sha256(arrival.body).hexdigest():
            yield "the body that arrived is not the one of the receipt"
