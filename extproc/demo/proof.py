"""Receipts, checked the way a stranger would: with a pinned key, in the log, and once more in the spans alone."""

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from extproc.core.events import JSON
from extproc.errors import VerificationError
from extproc.evidence.cursor import segments
from extproc.evidence.document import Statement, parse_payload
from extproc.evidence.dsse import Envelope
from extproc.evidence.keys import KeyRing
from extproc.evidence.lines import Entry, read_lines
from extproc.evidence.verify import Verified, verify_envelope, verify_logs
from extproc.telemetry.otlp_messages import Span


@dataclass(frozen=True, slots=True)
class Proof:
    """A receipt that holds in the log; `in_span` says that a received span carries the same, and holds by itself."""

    statement: Statement
    in_span: bool

    @property
    def reason(self) -> str:
        """The first reason of the verdict, "" for a plain allow."""
        reasons = _section(self.statement.document, "decision").get("reasons")
        return str(reasons[0]) if isinstance(reasons, list) and reasons else ""

    @property
    def entrypoint(self) -> str:
        """Which policy was asked; "" where the state of the body alone decided."""
        return str(_section(self.statement.document, "policy").get("entrypoint", ""))

    @property
    def engine(self) -> str:
        """Where that policy ran; "" likewise."""
        return str(_section(self.statement.document, "policy").get("engine", ""))

    @property
    def trace_id(self) -> str:
        """The W3C trace id, in hexadecimal."""
        return str(_section(self.statement.document, "trace").get("trace_id", ""))

    @property
    def parent_receipt(self) -> str:
        """The id of the receipt of the phase before; "" at the request."""
        return str(self.statement.document.get("parent_receipt", ""))


class Evidence:
    """Everything that was found in the log of one evidence directory and among the received spans, and holds.

    Raises VerificationError where anything of it does not: a signature, a chain, or a span that differs from the log.
    """

    def __init__(self, directory: Path, spans: Iterable[Span], ring: KeyRing) -> None:
        """Read and check all of it."""
        self.verified: Verified = verify_logs([directory], ring)
        self._statements: dict[str, Statement] = {}
        self._in_span: set[str] = set()
        payloads: dict[str, bytes] = {}
        for envelope in _envelopes(directory):
            statement = verify_envelope(envelope, ring)
            self._statements[statement.receipt_id] = statement
            payloads[statement.receipt_id] = envelope.payload
        for envelope in filter(None, map(envelope_of, spans)):
            statement = verify_envelope(envelope, ring)
            if payloads.get(statement.receipt_id) != envelope.payload:
                raise VerificationError(f"the span of receipt {statement.receipt_id} is not what the log has")
            self._in_span.add(statement.receipt_id)

    def proofs(self, receipt_id: str) -> tuple[Proof, ...]:
        """The receipt and those of the phases before it, first phase first; nothing where the log has no such one."""
        found: list[Proof] = []
        while statement := self._statements.get(receipt_id):
            found.insert(0, Proof(statement, receipt_id in self._in_span))
            receipt_id = found[0].parent_receipt
        return tuple(found)


def envelope_of(span: Span) -> Envelope | None:
    """The signed receipt that a span carries, unchecked; None where it carries none.  Raises VerificationError."""
    text = {attribute.key: attribute.value.string_value for attribute in span.attributes}
    if "extproc.receipt.payload" not in text:
        return None
    try:
        signature = b64decode(text.get("extproc.receipt.signature", ""), validate=True)
    except Error:
        raise VerificationError("a span whose signature is no base64") from None
    return Envelope(text["extproc.receipt.payload"].encode(), text.get("extproc.receipt.key_id", ""), signature)


def receipt_ids(directory: Path) -> frozenset[str]:
    """The ids of what the log holds now, unchecked: what the collector still has to get."""
    return frozenset(parse_payload(envelope.payload).receipt_id for envelope in _envelopes(directory))


def _envelopes(directory: Path) -> Iterator[Envelope]:
    for segment in segments(directory):
        yield from (line.envelope for line in read_lines(segment) if isinstance(line, Entry))


def _section(document: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    section = document.get(name)
    return section if isinstance(section, dict) else {}
