from pathlib import Path

import pytest
from demo.receipts_log import TRACE, Log
from rich.console import Console, RenderableType

from extproc.core.receipt import Outcome
from extproc.demo.proof import Evidence
from extproc.demo.report import Row, complaints, log_tail, results, summary, traces
from extproc.demo.story import Exchange, Expected, Observed
from extproc.demo.upstream import Arrival
from extproc.telemetry.otlp_messages import ResourceSpans, ScopeSpans

LEAK = Exchange("a leak [red]", "GET", "/customers/42", Expected(403, "card_number_leak"), told=True)


@pytest.fixture
def evidence(log: Log) -> Evidence:
    receipts = log.exchange(Outcome.DENY, "card_number_leak")
    return Evidence(log.directory, map(log.span, receipts), log.ring)


@pytest.fixture
def row(evidence: Evidence) -> Row:
    first, second = (f"0199c2f0-0000-7000-8000-{number:012}" for number in (1, 2))
    arrival = Arrival("GET", "/customers/42", {"x-extproc-receipt-id": first}, b"")
    return Row(LEAK, Observed(403, "card number", second, arrival, "embedded", evidence.proofs(second)))


def text(what: RenderableType) -> str:
    console = Console(width=120, record=True, quiet=False, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(what)
    return captured.get()


def test_a_row_shows_the_whole_exchange_and_the_full_receipt_id(row: Row) -> None:
    shown = text(results([row]))

    words = ("a leak [red]", "GET /customers/42", "403 Forbidden", "card number", "the request", "card_number_leak")
    assert [word for word in words if word not in shown] == []
    assert "0199c2f0-0000-7000-8000-000000000002" in shown
    assert "✓ log ✓ span  2 receipts" in shown
    assert max(map(len, shown.splitlines())) == 120


def test_a_row_without_an_answer_and_without_a_receipt_is_shown_too() -> None:
    shown = text(results([Row(LEAK, Observed(0, "ClientOSError: reset", "", None, "embedded", ()))]))

    words = ("0 no answer", "ClientOSError: reset", "nothing", "✗ no receipt")
    assert [word for word in words if word not in shown] == []


def test_the_summary_says_that_all_is_well_only_where_it_is(row: Row, evidence: Evidence) -> None:
    wrong = Row(Exchange("another", "GET", "/customers/42", Expected(200)), row.observed)

    assert text(summary([row], evidence.verified, "k1", 2.04)) == (
        "✓ all 1 exchanges went as expected, 2.0 s after the start\n"
        "  2 receipts verified: one unbroken log, signed with the pinned key k1\n"
    )
    assert text(summary([row, wrong], evidence.verified, "k1", 2.04)).startswith("✗ 1 of 2 exchanges did not go")
    assert text(complaints([row, wrong])) == (
        "row 2, another: the client got 403, expected 200; decided by card_number_leak, expected allow\n"
    )


def test_a_told_trace_is_a_tree_and_any_other_one_line(row: Row, log: Log) -> None:
    receipts = log.exchange()
    spans = [log.span(receipt) for receipt in receipts]
    received = [ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]

    whole = text(traces([row], received)).splitlines()
    short = text(traces([Row(Exchange("b", "GET", "/", Expected(200)), row.observed)], received)).splitlines()

    assert whole[1] == f"└── a leak [red]   trace {TRACE}"
    assert [line.split("  ")[-1] for line in whole[2:]] == [receipt.receipt_id for receipt in receipts]
    assert short[1:] == [f"└── {'b':<28}2 spans   request allow   response deny card_number_leak"]


def test_the_tail_of_a_log_is_its_last_twelve_lines(tmp_path: Path) -> None:
    log = tmp_path / "envoy.log"
    log.write_text("\n".join(f"line {number}." for number in range(20)))

    shown = text(log_tail(log))

    assert "line 7." not in shown
    assert "line 8." in shown
    assert "line 19." in shown


def test_a_log_that_is_not_there_has_an_empty_tail(tmp_path: Path) -> None:
    assert "nothing" in text(log_tail(tmp_path / "envoy.log"))
