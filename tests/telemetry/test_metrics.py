import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from extproc.core.engine import PolicyIdentity
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Outcome, PolicyFacts, RequestFacts
from extproc.core.rules import Mode
from extproc.telemetry.metrics import MAX_SERIES, forget, metrics, render

REQUEST = RequestFacts("id", "GET", "a", "/", "r", "p", "s", "", 0, State.EMPTY)
POLICY = PolicyFacts("e", PolicyIdentity("embedded", "1", "", "", ""), "", "", "")
DENIAL = Claims(
    phase=Point.REQUEST,
    outcome=Outcome.DENY,
    mode=Mode.ENFORCE,
    status=403,
    reasons=("sql_injection", "second"),
    request=REQUEST,
    policy=POLICY,
    duration_us=300,
)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_a_verdict_is_counted_by_phase_verdict_enforcement_and_first_reason(registry: CollectorRegistry) -> None:
    counts = metrics(registry)
    counts.decided(DENIAL)
    counts.decided(DENIAL)
    labels = {"phase": "request", "verdict": "deny", "enforcement": "enforced", "code": "sql_injection"}
    assert value(registry, "extproc_decisions_total", **labels) == 2


def test_an_allow_in_shadow_mode_has_no_code(registry: CollectorRegistry) -> None:
    metrics(registry).decided(replace(DENIAL, outcome=Outcome.ALLOW, mode=Mode.SHADOW, reasons=()))
    labels = {"phase": "request", "verdict": "allow", "enforcement": "shadow", "code": ""}
    assert value(registry, "extproc_decisions_total", **labels) == 1


def test_the_duration_is_observed_in_seconds_only_where_a_policy_was_asked(registry: CollectorRegistry) -> None:
    counts = metrics(registry)
    counts.decided(DENIAL)
    counts.decided(replace(DENIAL, policy=None))
    labels = {"phase": "request", "engine": "embedded"}
    assert (
        value(registry, "extproc_decision_duration_seconds_count", **labels),
        value(registry, "extproc_decision_duration_seconds_sum", **labels),
        value(registry, "extproc_decision_duration_seconds_bucket", **labels, le="0.00025"),
        value(registry, "extproc_decision_duration_seconds_bucket", **labels, le="0.0005"),
    ) == (1, 0.0003, 0, 1)


def test_a_policy_that_builds_its_reasons_from_input_cannot_grow_the_page_without_bound(
    registry: CollectorRegistry,
) -> None:
    counts = metrics(registry)
    for number in range(MAX_SERIES + 10):
        counts.decided(replace(DENIAL, reasons=(f"reason-{number}",)))
    series = [
        sample for family in registry.collect() for sample in family.samples if sample.name == "extproc_decisions_total"
    ]
    assert (len(series), sum(sample.value for sample in series), series[-1].labels["code"], series[-1].value) == (
        MAX_SERIES + 1,
        MAX_SERIES + 10,
        "other",
        10,
    )


ONE_PROCESS = """
import sys
from prometheus_client import CollectorRegistry
from extproc.telemetry.metrics import metrics
counts = metrics(CollectorRegistry())
counts.receipts_written.inc(2)
counts.exchanges_in_flight.inc(3)
counts.engine_errors.labels("engine_timeout").inc()
counts.policy_reloads.labels("failed").inc()
print(__import__("os").getpid(), flush=True)
sys.stdin.read()
"""


def test_the_page_adds_up_all_processes_and_forgets_the_gauges_of_one_that_ended(tmp_path: Path) -> None:
    environ = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", ONE_PROCESS]
    workers = [
        subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    both = render(tmp_path).decode()
    for worker in workers:
        worker.communicate("")
    forget(workers[0].pid, tmp_path)
    one = render(tmp_path).decode()
    wanted = ("extproc_receipts_written_total ", "extproc_exchanges_in_flight ", "extproc_engine_errors_total{")
    assert [{line for line in page.splitlines() if line.startswith(wanted)} for page in (both, one)] == [
        {
            f"extproc_exchanges_in_flight {in_flight}",
            "extproc_receipts_written_total 4.0",
            'extproc_engine_errors_total{code="engine_timeout"} 2.0',
        }
        for in_flight in (6.0, 3.0)
    ]
