"""What is counted, and the page that Prometheus scrapes.

Every process of the server counts into memory-mapped files of its own (prometheus_client's multiprocess mode); the
supervisor adds them up.  PROMETHEUS_MULTIPROC_DIR must be set before this module is imported: prometheus_client reads
it once, at import.

No label ever holds an id, a path or a name that a client chose.  Reasons are words of the policy author, and a policy
may build words from its input, so their number is capped.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from extproc.core.receipt import Claims
from extproc.core.rules import Mode

MAX_SERIES: Final = 256  # of decisions: 2 phases x 3 verdicts x 3 modes leaves room for a policy's own reasons
OTHER: Final = "other"  # the code of a decision for which no series is left

_DURATION_BUCKETS_S = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01),  # embedded evaluation: 30 us to some ms
    *(0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0),  # REST; 0.15 is the default deadline
)
_Series: TypeAlias = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Metrics:
    """The metrics of one process; docs/metrics.md lists them.

    Gauges add up over the live processes, but for a point in time, of which the latest counts.
    """

    decisions: Counter
    decision_duration_s: Histogram
    exchanges_in_flight: Gauge
    exchanges_given_up: Counter
    body_bytes_held: Gauge
    engine_errors: Counter
    engine_evaluations: Counter
    engine_evaluations_lost: Counter
    engine_evaluations_running: Gauge
    engine_heap_bytes: Gauge
    engine_memory_bytes: Gauge
    engine_kept_bytes: Gauge
    policy_reloads: Counter
    receipts_written: Counter
    receipts_shipped: Counter
    receipts_rejected: Counter
    receipts_unshipped: Gauge
    oldest_unshipped_age_s: Gauge
    export_errors: Counter
    corrupt_logs: Gauge
    lost_segments: Counter
    tls_refused: Counter
    tls_reloads: Counter
    tls_expiry_s: Gauge
    _decision_series: dict[_Series, Counter] = field(default_factory=dict)
    _duration_series: dict[tuple[str, str], Histogram] = field(default_factory=dict)

    def decided(self, claims: Claims) -> None:
        """Count one verdict and, where a policy was asked, the time it took.

        `code` is the first reason, or empty; once MAX_SERIES combinations are known, the code of a new one is `other`.
        """
        code = claims.reasons[0] if claims.reasons else ""
        series = (claims.phase, claims.outcome, _enforcement(claims.mode), code)
        counter = self._decision_series.get(series)
        if counter is None:
            counter = self._bind(series)
        counter.inc()
        if claims.policy is not None:
            self._duration(claims.phase, claims.policy.identity.engine).observe(claims.duration_us / 1e6)

    def _bind(self, series: _Series) -> Counter:
        """Keep the child of these labels: looking it up each time costs as much as counting."""
        if len(self._decision_series) >= MAX_SERIES:
            return self.decisions.labels(*series[:3], OTHER)
        return self._decision_series.setdefault(series, self.decisions.labels(*series))

    def _duration(self, phase: str, engine: str) -> Histogram:
        histogram = self._duration_series.get((phase, engine))
        if histogram is None:
            histogram = self.decision_duration_s.labels(phase, engine)
            self._duration_series[phase, engine] = histogram
        return histogram


def metrics(registry: CollectorRegistry) -> Metrics:
    """Register every metric with the registry, which must not hold them yet."""

    def counter(name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"extproc_{name}", documentation, labels, registry=registry)

    def gauge(name: str, documentation: str, mode: Literal["livesum", "livemax"] = "livesum") -> Gauge:
        return Gauge(f"extproc_{name}", documentation, registry=registry, multiprocess_mode=mode)

    return Metrics(
        decisions=counter("decisions", "Verdicts given.", "phase", "verdict", "enforcement", "code"),
        decision_duration_s=Histogram(
            "extproc_decision_duration_seconds",
            "Evaluation of the policy, without the queue.",
            ("phase", "engine"),
            registry=registry,
            buckets=_DURATION_BUCKETS_S,
        ),
        exchanges_in_flight=gauge("exchanges_in_flight", "HTTP exchanges that are open now."),
        exchanges_given_up=counter("exchanges_given_up", "Those that awaited a body when others needed their place."),
        body_bytes_held=gauge("body_bytes_held", "Bytes of bodies in memory now."),
        engine_errors=counter("engine_errors", "Evaluations that failed.", "code"),
        engine_evaluations=counter("engine_evaluations", "Evaluations that the embedded engine answered.", "outcome"),
        engine_evaluations_lost=counter("engine_evaluations_lost", "Those it could not stop at their deadlines."),
        engine_evaluations_running=gauge("engine_evaluations_running", "Those that run now, the lost ones included."),
        engine_heap_bytes=gauge("engine_heap_bytes", "The embedded engine's heap, which has a ceiling."),
        engine_memory_bytes=gauge("engine_memory_bytes", "What the embedded engine has from the kernel."),
        engine_kept_bytes=gauge("engine_kept_bytes", "What it keeps of patterns, schemas and keys, about."),
        policy_reloads=counter("policy_reloads", "Attempts to load a changed policy.", "outcome"),
        receipts_written=counter("receipts_written", "Receipts signed and in the log."),
        receipts_shipped=counter("receipts_shipped", "Receipts that the collector took."),
        receipts_rejected=counter("receipts_rejected", "Receipts that the collector refused for good."),
        receipts_unshipped=gauge("receipts_unshipped", "Receipts in the log that no collector has taken yet."),
        oldest_unshipped_age_s=gauge("receipts_oldest_unshipped_age_seconds", "Age of the first of them, or 0."),
        export_errors=counter("export_errors", "Batches that did not arrive and are sent again.", "status"),
        corrupt_logs=gauge("receipts_corrupt_logs", "Log files that cannot be shipped past a damaged line."),
        lost_segments=counter("receipts_lost_segments", "Log files that somebody else harmed while they were written."),
        tls_refused=counter("tls_refused", "Streams of peers whose certificate has no name that may ask."),
        tls_reloads=counter("tls_reloads", "Attempts to load changed certificates.", "outcome"),
        tls_expiry_s=gauge("tls_expiry_timestamp_seconds", "When the certificate in use ends, or 0.", "livemax"),
    )


def render(directory: Path) -> bytes:
    """Add up what all processes counted, in Prometheus's text format (version 0.0.4)."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(directory))  # type: ignore[no-untyped-call]  # the library has no types here
    return generate_latest(registry)


def forget(pid: int, directory: Path) -> None:
    """Take a process that ended out of the gauges; what it counted stays counted."""
    mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]  # the same


def _enforcement(mode: Mode) -> str:
    """Name the mode as the receipt's `decision.enforcement` does."""
    return "enforced" if mode is Mode.ENFORCE else mode.value
