import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import get_context

import pytest
from server.bench import CLAIMS, Bench, Clock, payloads, text

from extproc.config import Settings
from extproc.demo.collector import Collector, Conduct
from extproc.server import shipper as process
from extproc.server.control import Drain, Failed
from extproc.server.shipper import IDLE_S, LAST_RETRY_S, Delivery
from extproc.telemetry.metrics import render


def test_every_receipt_arrives_once_after_the_collector_was_away(
    bench: Bench, delivery: Callable[[Clock], Delivery]
) -> None:
    ledgers = [bench.ledger("worker-0"), bench.ledger("worker-1")]
    receipts = [ledgers[number % 2].record(CLAIMS) for number in range(1100)]
    bench.receiver.conduct = Conduct.REFUSE
    clock = Clock()

    def stop(delay_s: float) -> bool:
        clock.sleep(delay_s)
        if len(clock.waits) == 6:
            bench.receiver.conduct = Conduct.ACCEPT
        return delay_s == IDLE_S

    remaining = delivery(clock).run(stop, grace_s=10)
    assert (remaining, sorted(bench.delivered()), bench.cursors(), clock.waits[:8]) == (
        0,
        sorted(payloads(*receipts)),
        bench.sizes(),
        [0.0, 0.125, 0.25, 0.5, 1.0, 2.0, 0.0, 0.0],
    )


def test_the_wait_doubles_up_to_a_limit_and_starts_anew_after_a_success(
    bench: Bench, delivery: Callable[[Clock], Delivery]
) -> None:
    bench.ledger("w").record(CLAIMS)
    bench.receiver.conduct = Conduct.REFUSE
    clock = Clock(dice=0.5)
    courier = delivery(clock)
    waits = [courier.step() for _ in range(8)]
    bench.receiver.conduct = Conduct.ACCEPT
    done = [courier.step(), courier.step()]
    bench.ledger("w2").record(CLAIMS)
    bench.receiver.conduct = Conduct.REFUSE
    assert (waits, done, courier.step()) == (
        [0.75 * wait for wait in (0.25, 0.5, 1, 2, 4, 8, LAST_RETRY_S, LAST_RETRY_S)],
        [0.0, None],
        0.75 * 0.25,
    )
    assert bench.registry.get_sample_value("extproc_export_errors_total", {"status": "UNAVAILABLE"}) == 9


def test_a_disk_that_fails_is_tried_again(bench: Bench, delivery: Callable[[Clock], Delivery]) -> None:
    bench.ledger("w").record(CLAIMS)
    courier = delivery(Clock())
    shutil.rmtree(bench.directory / "cursor")
    assert (courier.step(), courier.step()) == (0.125, None)


def test_a_drain_ends_as_soon_as_nothing_is_left(bench: Bench, delivery: Callable[[Clock], Delivery]) -> None:
    ledger = bench.ledger("w")
    receipts = [ledger.record(CLAIMS) for _ in range(600)]
    clock = Clock()
    assert (delivery(clock).drain(10), bench.delivered(), clock.at_s) == (0, payloads(*receipts), 0)


def test_a_drain_ends_with_the_grace_and_says_what_is_left(
    bench: Bench, delivery: Callable[[Clock], Delivery], caplog: pytest.LogCaptureFixture
) -> None:
    ledger = bench.ledger("w")
    for _ in range(7):
        ledger.record(CLAIMS)
    bench.receiver.conduct = Conduct.REFUSE
    clock = Clock()
    remaining = delivery(clock).drain(3)
    last = caplog.records[-1]
    assert (remaining, clock.at_s, last.levelno, vars(last)["unshipped"], bench.measured("receipts_unshipped")) == (
        7,
        3,
        logging.WARNING,
        7,
        7,
    )


@pytest.mark.timeout(9)  # the exporter alone would wait 10 s
def test_a_drain_waits_for_a_silent_collector_no_longer_than_the_grace(
    bench: Bench, delivery: Callable[[Clock], Delivery]
) -> None:
    bench.ledger("w").record(CLAIMS)
    bench.receiver.conduct = Conduct.BLACKHOLE
    assert delivery(Clock()).drain(0.05) == 1


@pytest.fixture
def settings(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Settings:
    counted = bench.directory / "counted"
    counted.mkdir()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(counted))
    return Settings.model_validate(
        {
            "policy": {"paths": ["policies"]},
            "evidence": {"directory": bench.directory},
            "telemetry": {"otlp": {"endpoint": bench.receiver.endpoint}},
        }
    )


@pytest.mark.parametrize("end", ["message", "end of pipe", "SIGTERM"])
def test_the_process_ships_to_a_collector_that_comes_late_and_drains_when_it_is_told_to_end(
    bench: Bench, settings: Settings, end: str
) -> None:
    ledger = bench.ledger("w")
    receipts = [ledger.record(CLAIMS) for _ in range(20)]
    bench.receiver.stop()
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    shipper = spawn.Process(target=process.main, args=(settings, theirs))
    shipper.start()
    theirs.close()
    late = Collector(bench.receiver.port)
    assert late.wait_for(20, timeout_s=30)
    match end:
        case "message":
            ours.send(Drain())
        case "end of pipe":
            ours.close()
        case _:
            os.kill(shipper.pid or 0, signal.SIGTERM)
    shipper.join(30)
    delivered = {text(span, "extproc.receipt.payload") for span in late.spans()}
    late.stop()
    assert (shipper.exitcode, delivered, bench.cursors()) == (0, set(payloads(*receipts)), bench.sizes())
    assert b"extproc_receipts_shipped_total 20.0" in render(bench.directory / "counted")


def test_the_process_reports_a_wrong_variable_and_ends(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")
    spawn = get_context("spawn")
    ours, theirs = spawn.Pipe()
    shipper = spawn.Process(target=process.main, args=(settings, theirs))
    shipper.start()
    theirs.close()
    report = ours.recv()
    shipper.join(30)
    assert (shipper.exitcode, report) == (
        0,
        Failed("OTEL_EXPORTER_OTLP_TIMEOUT: 'soon' is not a whole number of milliseconds above 0"),
    )


def test_the_process_loads_neither_the_server_nor_the_policy_engine() -> None:
    program = "import sys, extproc.server.shipper; print(*(m for m in sys.modules if m.startswith('extproc.')))"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert {module for module in loaded if module.startswith(("extproc.engines", "extproc.server"))} == {
        "extproc.server",
        "extproc.server.control",
        "extproc.server.delivery",
        "extproc.server.shipper",
    }
