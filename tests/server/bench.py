"""An evidence directory, a collector, and shippers between them, with a clock of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from prometheus_client import CollectorRegistry

from extproc.core.engine import PolicyIdentity
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Issuer, Outcome, PolicyFacts, RequestFacts, SignedReceipt
from extproc.core.rules import Mode
from extproc.demo.collector import Collector
from extproc.evidence.cursor import CursorStore, segments
from extproc.evidence.keys import Signer
from extproc.evidence.ledger import Ledger
from extproc.evidence.wal import WalWriter
from extproc.server.delivery import Shipper
from extproc.server.shipper import Time
from extproc.telemetry.metrics import metrics
from extproc.telemetry.otlp import OtlpExporter
from extproc.telemetry.otlp_messages import Span

ISSUED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REQUEST = RequestFacts("r", "GET", "shop.example", "/a", "shop", "alice", "192.0.2.1", "", 0, State.EMPTY)
CLAIMS = Claims(
    phase=Point.REQUEST,
    outcome=Outcome.DENY,
    mode=Mode.ENFORCE,
    status=403,
    reasons=("no_owner",),
    request=REQUEST,
    policy=PolicyFacts("e", PolicyIdentity("embedded", "1", "r1", "aa", "bb"), "", "cc", "dd"),
    duration_us=100,
)


@dataclass(slots=True)
class Clock:
    """Time that passes only when somebody waits; `random` is always `dice`."""

    at_s: float = 0.0
    dice: float = 0.0
    waits: list[float] = field(default_factory=list)

    def sleep(self, delay_s: float) -> None:
        """Let the time pass."""
        self.waits.append(delay_s)
        self.at_s += delay_s

    def time(self) -> Time:
        """Give the process this clock."""
        return Time(
            now=lambda: ISSUED_AT.timestamp() + self.at_s,
            monotonic=lambda: self.at_s,
            sleep=self.sleep,
            random=lambda: self.dice,
        )


@dataclass(frozen=True, slots=True)
class Bench:
    """An evidence directory, a collector, and shippers between them."""

    directory: Path
    signer: Signer
    receiver: Collector
    exporter: OtlpExporter
    registry: CollectorRegistry
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def ledger(self, origin: str, version: str = "0.1.0", wal: WalWriter | None = None) -> Ledger:
        """A worker's log; several may share one file."""
        return Ledger(
            signer=self.signer,
            wal=wal or WalWriter(self.directory, origin, on_loss=print),
            issuer=Issuer("extproc", "gw-0", version, self.signer.kid),
            pseudonym=lambda name: f"h-{name}",
            clock=lambda: ISSUED_AT,
            new_receipt_id=lambda: f"receipt-{next(self.ids)}",
            new_trace_id=lambda: f"{next(self.ids):032x}",
            new_span_id=lambda: f"{next(self.ids):016x}",
        )

    def shipper(self) -> Shipper:
        """A shipper as after a restart: it knows only what the cursors say."""
        return Shipper(
            directory=self.directory,
            cursors=CursorStore(self.directory),
            exporter=self.exporter,
            metrics=metrics(self.registry),
        )

    def delivered(self) -> list[str]:
        """The payloads that the collector has, in the order of arrival."""
        return [text(span, "extproc.receipt.payload") for span in self.receiver.spans()]

    def cursors(self) -> dict[str, int]:
        """How far each segment was shipped, as stored."""
        store = CursorStore(self.directory)
        return {segment.name: store.load(segment) for segment in segments(self.directory)}

    def sizes(self) -> dict[str, int]:
        """How long each segment is."""
        return {segment.name: segment.stat().st_size for segment in segments(self.directory)}

    def measured(self, name: str) -> float | None:
        """One metric without labels."""
        return self.registry.get_sample_value(f"extproc_{name}")


def text(span: Span, key: str) -> str:
    return next(attribute.value.string_value for attribute in span.attributes if attribute.key == key)


def payloads(*receipts: SignedReceipt) -> list[str]:
    return [receipt.payload.decode() for receipt in receipts]
