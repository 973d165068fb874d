"""From the write-ahead log to the collector: read, build spans, export, move the cursor; and when to try again.

At least once: a cursor moves only after the collector has answered for the batch, so a crash in between sends the batch
again, with the same span ids and the same bytes.

A damaged line, or a line that holds no receipt, stops its segment there: what came before it is delivered, what comes
after it is not, and a log record and `extproc_receipts_corrupt_logs` say so until the shipper starts again.  Skipping
it would make a gap in the evidence look like a delivery.  Other segments go on.

A batch that fails holds up no other log: its segment is tried again once the others have nothing left.  Every segment
has its turn, however many there are.

A partial success is final: OTLP forbids sending the batch again, and one span that a collector never takes must not
hold up all evidence behind it.  The refusal is logged and counted (`extproc_receipts_rejected`), the cursor moves, and
the receipts stay in the log.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from extproc.errors import EvidenceDirectoryError, VerificationError
from extproc.evidence.cursor import CursorStore, backlog, segments
from extproc.evidence.lines import Corrupt, Line, read_lines
from extproc.telemetry.metrics import Metrics
from extproc.telemetry.otlp import MAX_BATCH_BYTES, MAX_BATCH_SPANS, ExportRejected
from extproc.telemetry.otlp_messages import Resource, Span
from extproc.telemetry.spans import Producer, ReceiptSpan, SpanContext, receipt_span, resource_of

MAX_EARLIER: Final = 32_768  # spans that a later phase may still link to: 6 s at 5,000 exchanges/s, some 10 MB
MAX_BATCHES: Final = 16  # of one pass, so that a pass ends and a request to stop is heard
_MAX_MESSAGE: Final = 512  # characters of a collector's message in our log

_log = logging.getLogger(__name__)


class Exporter(Protocol):
    """Where batches go: extproc.telemetry.otlp.OtlpExporter."""

    def export(self, resource: Resource, spans: Sequence[Span], timeout_s: float | None = None) -> None:
        """Deliver one batch; raises ExportError or ExportRejected."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Spans of one producer from consecutive lines; `end` is the offset after the last of them."""

    producer: Producer
    spans: tuple[Span, ...]
    end: int


class Shipper:
    """Delivers what the logs of one evidence directory hold, in batches; for one thread."""

    def __init__(self, *, directory: Path, cursors: CursorStore, exporter: Exporter, metrics: Metrics) -> None:
        """Start from the stored cursors."""
        self._directory = directory
        self._cursors = cursors
        self._exporter = exporter
        self._metrics = metrics
        self._offsets: dict[Path, int] = {}
        self._stopped: set[Path] = set()
        self._failing: set[Path] = set()
        self._last = directory
        self._earlier: dict[str, SpanContext] = {}

    def ship_once(self, timeout_s: float | None = None) -> int:
        """Ship at most one batch of each segment that has unshipped lines; returns how many receipts are done with.

        0 means that nothing is left that can be shipped.  Raises ExportError where a batch did not arrive, OSError
        where a segment or a cursor fails: what was delivered before it stays delivered.
        """
        waiting = sorted(self._unshipped(), key=lambda pair: (pair[0] <= self._last, pair[0]))
        failing = [pair for pair in waiting if pair[0] in self._failing]
        return self._ship([pair for pair in waiting if pair not in failing], timeout_s) or self._ship(
            failing, timeout_s
        )

    def _ship(self, waiting: Sequence[tuple[Path, int]], timeout_s: float | None) -> int:
        done = batches = 0
        for segment, offset in waiting:
            self._last = segment
            self._failing.add(segment)
            batch = self._batch(segment, offset)
            if batch is not None:
                self._deliver(segment, batch, timeout_s)
                done += len(batch.spans)
                batches += 1
            self._failing.discard(segment)
            if batches == MAX_BATCHES:
                break
        return done

    def observe(self, now_s: float) -> int:
        """Measure the backlog: set its metrics and return the number of receipts; `now_s` counts from 1970-01-01 UTC.

        What lies behind a damaged line is not counted.
        """
        receipts, oldest = 0, ""
        for segment, offset in self._unshipped():
            try:
                left = backlog(segment, offset)
            except (VerificationError, OSError):  # the next batch meets the same, and says so
                continue
            if left is not None:
                receipts += left.receipts
                oldest = min(oldest or left.oldest_issued_at, left.oldest_issued_at)
        self._metrics.receipts_unshipped.set(receipts)
        age_s = now_s - datetime.fromisoformat(oldest).timestamp() if oldest else 0.0
        self._metrics.oldest_unshipped_age_s.set(max(0.0, age_s))
        return receipts

    def _unshipped(self) -> Iterator[tuple[Path, int]]:
        for segment in segments(self._directory):
            offset = self._offset(segment)
            if segment not in self._stopped and _size(segment) > offset:
                yield segment, offset

    def _offset(self, segment: Path) -> int:
        offset = self._offsets.get(segment)
        if offset is None:
            try:
                offset = self._cursors.load(segment)
            except EvidenceDirectoryError as error:
                offset = 0
                self._stop(segment, offset, str(error))
            self._offsets[segment] = offset
        return offset

    def _batch(self, segment: Path, offset: int) -> Batch | None:
        """The next spans of a segment; None where no line is whole yet, or where the next one is damaged."""
        spans: list[Span] = []
        producer, size, end = None, 0, offset
        for line in islice(read_lines(segment, offset), MAX_BATCH_SPANS):
            try:
                receipt = self._receipt(line)
            except VerificationError as error:
                if not spans:
                    self._stop(segment, end, str(error))
                break
            size += receipt.span.ByteSize()
            if producer not in (None, receipt.producer) or size > MAX_BATCH_BYTES:
                break
            producer, end = receipt.producer, line.end
            spans.append(receipt.span)
        return None if producer is None else Batch(producer, tuple(spans), end)

    def _receipt(self, line: Line) -> ReceiptSpan:
        if isinstance(line, Corrupt):
            raise VerificationError(line.reason)
        envelope = line.envelope
        receipt = receipt_span(envelope.payload, envelope.signature, envelope.kid, self._earlier)
        self._earlier[receipt.receipt_id] = receipt.context
        if len(self._earlier) > MAX_EARLIER:
            del self._earlier[next(iter(self._earlier))]
        return receipt

    def _deliver(self, segment: Path, batch: Batch, timeout_s: float | None) -> None:
        rejected = 0
        try:
            self._exporter.export(resource_of(batch.producer), batch.spans, timeout_s)
        except ExportRejected as error:
            rejected = min(error.rejected, len(batch.spans))
            span = {"segment": segment.name, "from": self._offsets[segment], "to": batch.end, "rejected": rejected}
            _log.error("the collector refused receipts for good: %s", str(error)[:_MAX_MESSAGE], extra=span)
            self._metrics.receipts_rejected.inc(rejected)
        self._metrics.receipts_shipped.inc(len(batch.spans) - rejected)
        self._offsets[segment] = batch.end  # first, so that a full disk costs a repetition after a restart and not now
        self._cursors.save(segment, batch.end)

    def _stop(self, segment: Path, offset: int, reason: str) -> None:
        self._stopped.add(segment)
        self._metrics.corrupt_logs.set(len(self._stopped))
        _log.error("a log is shipped no further: %s", reason, extra={"segment": segment.name, "offset": offset})


def _size(segment: Path) -> int:
    try:
        return segment.stat().st_size
    except FileNotFoundError:  # removed since it was listed
        return 0
