"""Every case of every outside set through a real gateway: what is seen, what is refused by name, what always holds.

table.yaml has the figures, and `python -m data` writes them anew; docs/inspection.md says what they mean.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from data import sets, table
from data.cases import Case
from data.comparison import differences
from data.gateway import Played, played
from data.logs import payloads_in
from data.oracle import faults

from extproc.evidence.keys import jwks, load_key_ring, load_signer
from extproc.evidence.verify import verify_logs

pytestmark = pytest.mark.timeout(1800)


class Run:
    """The cases in one direction, played."""

    def __init__(self, cases: Sequence[Case], again: Sequence[Case], all_of_them: Played) -> None:
        self.played = all_of_them
        self.first = all_of_them.exchanges[: len(cases)]
        self.again = all_of_them.exchanges[len(cases) :]
        assert [exchange.case for exchange in self.again] == list(again)


@pytest.fixture(scope="module", params=["requests", "responses"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    cases, again = {"requests": sets.requests, "responses": sets.responses}[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    return Run(cases, again, asyncio.run(played(folder, [*cases, *again], response=request.param == "responses")))


def test_no_exchange_crashes_hangs_or_opens_the_gate(run: Run) -> None:
    found = [
        f"{exchange.case.row} {exchange.case.source}: {fault}"
        for exchange in run.played.exchanges
        for fault in faults(exchange)
    ]
    assert found == []


def test_what_no_case_has_sent_reaches_the_upstream_with_a_receipt_too(run: Run) -> None:
    allowed = {receipt.id.encode() for receipt in run.played.unsent_receipts if receipt.verdict == "allow"}
    assert {arrival.value(b"x-extproc-receipt-id") for arrival in run.played.unsent_arrivals} <= allowed


def test_a_case_is_decided_alike_whenever_it_comes(run: Run) -> None:
    first = {exchange.case: exchange.decision for exchange in run.first}
    assert [each.case.source for each in run.again if each.decision != first[each.case]] == []


def test_the_counts_are_those_of_the_table(run: Run) -> None:
    counts, expected = table.counted(run.first), table.read()
    assert counts == {row: expected.get(row) for row in counts}


def test_the_policy_saw_what_every_backend_reads(run: Run) -> None:
    found = [
        f"{exchange.case.row} {exchange.case.source}: {part}"
        for exchange in run.first
        for part, _, _ in differences(exchange)
    ]
    assert found == []


def test_every_receipt_verifies_and_none_is_missing(run: Run, tmp_path: Path) -> None:
    evidence, pinned = run.played.folder / "evidence", tmp_path / "pinned.jwks"
    pinned.write_text(jwks([load_signer(evidence / "signing.pem").verifier]))
    verified = verify_logs([evidence / "wal"], load_key_ring(pinned))
    assert verified.receipts == run.played.receipts


def test_no_log_holds_a_payload(run: Run) -> None:
    assert payloads_in(run.played.logs, {exchange.case.payload for exchange in run.first}) == []
