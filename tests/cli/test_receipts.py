import json
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from extproc.cli import keys, receipts
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Issuer, Outcome, RequestFacts
from extproc.core.rules import Mode
from extproc.evidence.keys import load_signer, pseudonym
from extproc.evidence.ledger import Ledger
from extproc.evidence.wal import WalWriter

FIRST = "0199c2f0-0000-7000-8000-000000000001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An evidence directory with one log of two receipts, one unfinished line, an idle worker, and the pinned keys."""
    assert run("new", str(tmp_path / "signing.pem"), app="keys").exit_code == 0
    signer = load_signer(tmp_path / "signing.pem")
    (tmp_path / "pinned.jwks").write_text(run("show", str(tmp_path / "signing.pem"), app="keys").stdout)
    WalWriter(tmp_path, "w1", on_loss=print).close()
    wal, numbers = WalWriter(tmp_path, "w0", on_loss=print), count(1)
    ledger = Ledger(
        signer=signer,
        wal=wal,
        issuer=Issuer("extproc", "gateway", "0.1.0", signer.kid),
        pseudonym=pseudonym(b"k" * 32),
        clock=lambda: datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        new_receipt_id=lambda: f"0199c2f0-0000-7000-8000-{next(numbers):012}",
        new_trace_id=lambda: "f" * 32,
        new_span_id=lambda: "a" * 16,
    )
    request = RequestFacts("r\x1b[31m", "GET", "shop.example", "/a", "", "", "", "", 0, State.EMPTY)
    ledger.record(Claims(Point.REQUEST, Outcome.DENY, Mode.ENFORCE, 403, ("no_token", "b"), request))
    ledger.record(Claims(Point.REQUEST, Outcome.ALLOW, Mode.ENFORCE, None, (), request))
    wal.append(b'{"half')
    wal.close()
    return tmp_path


def run(*arguments: str, app: str = "receipts") -> Result:
    chosen = {"receipts": receipts.app, "keys": keys.app}[app]
    return CliRunner(env={"COLUMNS": "80"}).invoke(chosen, arguments)


def log(folder: Path) -> Path:
    return folder / "wal" / "w0.0.ndjson"


def verify(folder: Path, *more: str) -> Result:
    return run("verify", str(folder), "--key", str(folder / "pinned.jwks"), *more)


def test_what_holds_is_said_for_people(folder: Path) -> None:
    result = verify(folder)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "2 receipts hold: 1 allow, 1 deny",
            "issued 2026-01-02T03:04:05.000000Z to 2026-01-02T03:04:05.000000Z",
            "log w0",
            f"{folder}/wal/w1.0.ndjson: no receipt yet",
            f"{folder}/wal/w0.0.ndjson: ends in half a line, which no answer relied on",
            "Not checked: whether receipts are missing at the end of a log, or whole logs.",
        ],
    )


def test_what_holds_is_said_for_programs(folder: Path) -> None:
    result = verify(folder, "--output", "json")
    assert (result.exit_code, json.loads(result.stdout)) == (
        0,
        {
            "verified": True,
            "receipts": 2,
            "origins": ["w0"],
            "first_issued_at": "2026-01-02T03:04:05.000000Z",
            "last_issued_at": "2026-01-02T03:04:05.000000Z",
            "verdicts": {"deny": 1, "allow": 1},
            "empty": [f"{folder}/wal/w1.0.ndjson"],
            "unfinished": [f"{folder}/wal/w0.0.ndjson"],
        },
    )


def test_what_does_not_hold_exits_with_1(folder: Path) -> None:
    first, second, _ = log(folder).read_bytes().split(b"\n")
    log(folder).write_bytes(second + b"\n")
    reason = f"{log(folder)}, line 1: number 1 is not the start of its log"
    people, programs = verify(folder), verify(folder, "--output", "json")
    assert (people.exit_code, people.stderr) == (1, reason + "\n")
    assert (programs.exit_code, json.loads(programs.stdout)) == (1, {"verified": False, "error": reason})
    assert len(first) > 0


def test_a_wrong_use_exits_with_2(folder: Path) -> None:
    key = str(folder / "pinned.jwks")
    private = run("verify", str(folder), "--key", str(folder / "signing.pem"))
    assert (private.exit_code, private.stderr.startswith("error: ")) == (2, True)
    assert run("verify", str(folder / "missing"), "--key", key).exit_code == 2
    assert run("verify", str(folder)).exit_code == 2
    assert run("list", str(folder / "missing")).exit_code == 2


def test_a_list_cannot_steer_the_terminal(folder: Path) -> None:
    result = run("list", str(log(folder)))
    rows = [line.split() for line in result.stdout.splitlines()]
    assert (result.exit_code, rows) == (
        0,
        [
            ["seq", "issued", "at", "phase", "verdict", "status", "reasons", "request", "receipt"],
            ["0", "2026-01-02T03:04:05.000000Z", "request", "deny", "403", "no_token,", "b", r"r\u001b[31m", FIRST],
            ["1", "2026-01-02T03:04:05.000000Z", "request", "allow", r"r\u001b[31m", FIRST[:-1] + "2"],
        ],
    )


def test_a_list_ends_where_a_line_is_no_receipt(folder: Path) -> None:
    log(folder).write_bytes(log(folder).read_bytes() + b"\n")
    result = run("list", str(log(folder)))
    assert (result.exit_code, result.stderr) == (1, f"{log(folder)}, line 3: not JSON in UTF-8\n")
    assert FIRST in result.stdout


def test_an_evidence_directory_is_listed_as_it_is_verified(folder: Path) -> None:
    listed = run("list", str(folder))
    assert (listed.exit_code, listed.stdout) == (0, run("list", str(log(folder))).stdout)
    assert run("show", str(folder), FIRST).exit_code == 0


def test_one_receipt_is_shown_whole(folder: Path) -> None:
    result = run("show", str(log(folder)), FIRST)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["receipt_id"], document["log"]["seq"]) == (0, FIRST, 0)
    assert run("show", str(log(folder)), "other").exit_code == 1


@pytest.mark.parametrize("command", ["verify", "list", "show"])
def test_help_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert (result.exit_code, f"extproc receipts {command} receipts" in result.stdout) == (0, True)
