"""The whole demo in a process of its own, as a stranger runs it."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

WRONG_STORY = """
import sys
from dataclasses import replace
from extproc.cli import main
from extproc.demo import story

first = story.STORY[0]
story.STORY = (replace(first, expected=replace(first.expected, status=204)),)
sys.argv = ["extproc", "demo"]
main.main()
"""
WORDS = (
    *("200 OK", "201 Created", "403 Forbidden", "413 Request Entity Too Large", "400 Bad Request"),
    *("sql_injection", "card_number_leak", "tenant_mismatch", "over_limit", "malformed", "opaque_body"),
    *("Blocked by the shop's policy", "ingress", "ExternalProcessor.Process", "policy.decision", "upstream egress"),
    *("✓ log ✓ span", "✓ all 10 exchanges went as expected", "15 receipts verified", "✓ everything stopped"),
)


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A folder of the test's own for what the demo writes, with a name that is short enough for a Unix socket."""
    return os.environ | {"TMPDIR": str(tmp_path_factory.mktemp("d")), "COLUMNS": "120", "NO_COLOR": "1"}


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("engine", ["embedded", "opa"])
def test_the_demo_goes_as_expected_fits_its_terminal_and_leaves_nothing(
    environment: dict[str, str], engine: str
) -> None:
    done = run(environment, "-m", "extproc", "demo", "--engine", engine)

    assert [word for word in WORDS if word not in done.stdout] == [], done.stdout
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    tree = lines.index("the spans that the OTLP receiver got, each decision with its signed receipt")
    assert len(lines) - tree <= 60
    assert max(map(len, lines)) <= 120
    assert list(Path(environment["TMPDIR"]).iterdir()) == []


def test_a_row_that_is_not_as_expected_is_named_and_exits_1(environment: dict[str, str]) -> None:
    done = run(environment, "-c", WRONG_STORY)

    assert "row 1, read the orders: the client got 200, expected 204" in done.stdout
    assert "✗ 1 of 1 exchanges did not go as expected" in done.stdout
    assert "extproc.log" in done.stdout
    assert done.returncode == 1


def test_a_kept_demo_serves_until_it_is_interrupted(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "extproc", "demo", "--keep"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        shown = [next(line for line in process.stdout if line.startswith("gateway (Envoy)"))]
        shown += iter(process.stdout.readline, "decisions appear here; Ctrl-C stops everything\n")
        gateway = shown[0].split()[-1]
        with urllib.request.urlopen(f"{gateway}/orders") as answer:  # noqa: S310 - http, to loopback
            receipt_id = answer.headers["x-extproc-receipt-id"]
        live = next(line for line in process.stdout if receipt_id in line)
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()

    assert "response allow" in live
    assert any(f"curl -i {gateway}/orders" in line for line in shown)
    assert any("extproc receipts verify" in line for line in shown)
    assert "✓ everything stopped" in rest
    assert process.returncode == 0


def test_a_demo_that_is_terminated_leaves_no_process_behind(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "extproc", "demo"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("✓ extproc serve"))
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()

    assert "interrupted; everything is stopped" in rest
    assert process.returncode == 1
    folder = environment["TMPDIR"].encode()
    assert [pid for pid, line in command_lines() if folder in line] == []


def command_lines() -> Iterator[tuple[str, bytes]]:
    """Every process that runs now, and its command line."""
    for proc in Path("/proc").iterdir():
        with suppress(OSError):
            yield proc.name, (proc / "cmdline").read_bytes()
