"""A receipt's payload read back: only what verification and listing need is typed, the rest stays as it was signed."""

from collections.abc import Mapping
from dataclasses import dataclass

from extproc.core.canonical import KIND, TYPE, VERSION
from extproc.core.events import JSON
from extproc.core.point import Point
from extproc.core.receipt import MAX_BYTES, Outcome
from extproc.errors import VerificationError
from extproc.evidence.strict_json import strict_object


@dataclass(frozen=True, slots=True)
class Statement:
    """What a payload states.  `document` is all of it; `prev` is "" in the first receipt of a log."""

    receipt_id: str
    issued_at: str
    phase: Point
    verdict: Outcome
    kid: str
    origin: str
    seq: int
    prev: str
    document: Mapping[str, JSON]


def parse_payload(payload: bytes) -> Statement:
    """Read a decision receipt of version 1; raises VerificationError.  Who signed it is **not** checked here."""
    if len(payload) > MAX_BYTES:
        raise VerificationError(f"a payload of more than {MAX_BYTES} bytes")
    match strict_object(payload):
        case {
            "v": int(v),
            "type": str(type_),
            "kind": str(kind),
            "receipt_id": str(receipt_id),
            "issued_at": str(issued_at),
            "phase": "headers" | "request" | "response" as phase,
            "issuer": {"kid": str(kid)},
            "log": {"origin": str(origin), "seq": int(seq), "prev": str(prev)},
            "decision": {"verdict": "allow" | "deny" | "error" as verdict},
        } as document:
            if (v, type_, kind) != (VERSION, TYPE, KIND) or isinstance(v, bool) or isinstance(seq, bool):
                raise VerificationError("a payload of another version, type or kind")
            return Statement(receipt_id, issued_at, Point(phase), Outcome(verdict), kid, origin, seq, prev, document)
        case _:
            raise VerificationError("a payload that lacks what every receipt states")
