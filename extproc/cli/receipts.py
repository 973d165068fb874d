"""`extproc receipts`: verify, list and show the evidence.  Exit status: 0 fine, 1 found a fault, 2 used wrongly."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from extproc.core.events import JSON
from extproc.errors import KeyFileError, VerificationError
from extproc.evidence.keys import load_key_ring
from extproc.evidence.reading import find, statements
from extproc.evidence.verify import Verified, verify_logs

app = typer.Typer(no_args_is_help=True, help="Verify, list and show receipts.")

_VERIFY_EXAMPLES = """Examples:

extproc keys show receipts/signing.pem > pinned.jwks

extproc receipts verify receipts --key pinned.jwks

extproc receipts verify receipts/wal/*.ndjson --key pinned.jwks --output json

Exit status: 0 every receipt holds, 1 one does not or there is none, 2 used wrongly."""
_LIST_EXAMPLES = "Example: extproc receipts list receipts/wal/gateway-w0-20260101.0.ndjson"
_SHOW_EXAMPLES = "Example: extproc receipts show receipts/wal/gateway-w0-20260101.0.ndjson 0199c2f0-…"

_UNCUT_COLUMNS = 4_000
_Log = Annotated[
    Path, typer.Argument(metavar="LOG", help="A segment of a log, envelopes as NDJSON, or a folder as for `verify`.")
]
_Id = Annotated[str, typer.Argument(metavar="RECEIPT_ID", help="The id, or enough of its beginning.")]


class Output(StrEnum):
    """For people or for programs."""

    TEXT = "text"
    JSON = "json"


@app.command(epilog=_VERIFY_EXAMPLES)
def verify(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Segments of logs, envelopes as NDJSON, or folders of such files."),
    ],
    key: Annotated[Path, typer.Option(metavar="FILE", help="Pinned keys: a JWK Set, or one public key in PEM.")],
    output: Annotated[Output, typer.Option(help="How to print what was found.")] = Output.TEXT,
) -> None:
    """Check signatures and hash chains with pinned keys; name the first line that does not hold.

    It cannot see whether receipts were removed from the end of a log.
    """
    with _exit_status(output):
        verified = verify_logs(files, load_key_ring(key))
        if output is Output.JSON:
            typer.echo(json.dumps(_as_json(verified)))
        else:
            _print(verified)


@app.command("list", epilog=_LIST_EXAMPLES)
def list_(file: _Log) -> None:
    """Print a table of a log's receipts.  Signatures are not checked: `verify` does that."""
    table = Table("seq", "issued at", "phase", "verdict", "status", "reasons", "request", "receipt", box=None)
    with _exit_status(Output.TEXT):
        try:
            for statement in statements(file):
                decision, request = (statement.document.get(name) for name in ("decision", "request"))
                table.add_row(
                    str(statement.seq),
                    _plain(statement.issued_at),
                    statement.phase,
                    statement.verdict,
                    _plain(_member(decision, "status")),
                    _plain(_member(decision, "reasons")),
                    _plain(_member(request, "id")),
                    _plain(statement.receipt_id),
                )
        finally:
            _console().print(table)


@app.command(epilog=_SHOW_EXAMPLES)
def show(file: _Log, receipt_id: _Id) -> None:
    """Print one receipt.  Its signature is not checked: `verify` does that."""
    with _exit_status(Output.TEXT):
        typer.echo(json.dumps(find(file, receipt_id).document, indent=2))


@contextmanager
def _exit_status(output: Output) -> Iterator[None]:
    """Turn errors into one line and an exit status."""
    try:
        yield
    except VerificationError as error:
        if output is Output.JSON:
            typer.echo(json.dumps({"verified": False, "error": str(error)}))
        else:
            typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    except (KeyFileError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _console() -> Console:
    """Standard output; nothing is cut or wrapped where it is no terminal: half an id or half a path is of no use."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNCUT_COLUMNS
    return console


def _print(verified: Verified) -> None:
    console = _console()
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verified.verdicts.items()))
    console.print(Text(f"{verified.receipts} receipts hold: {verdicts}", style="green"))
    console.print(Text(f"issued {verified.first_issued_at} to {verified.last_issued_at}"))
    for origin in verified.origins:
        console.print(Text(f"log {origin}"))
    for path in verified.empty:
        console.print(Text(f"{path}: no receipt yet", style="yellow"))
    for path in verified.unfinished:
        console.print(Text(f"{path}: ends in half a line, which no answer relied on", style="yellow"))
    console.print("Not checked: whether receipts are missing at the end of a log, or whole logs.")


def _as_json(verified: Verified) -> dict[str, JSON]:
    return {
        "verified": True,
        "receipts": verified.receipts,
        "origins": [*verified.origins],
        "first_issued_at": verified.first_issued_at,
        "last_issued_at": verified.last_issued_at,
        "verdicts": {verdict.value: count for verdict, count in verified.verdicts.items()},
        "empty": [str(path) for path in verified.empty],
        "unfinished": [str(path) for path in verified.unfinished],
    }


def _member(section: JSON, name: str) -> JSON:
    return section.get(name) if isinstance(section, dict) else None


def _plain(value: JSON) -> Text:
    """As ASCII without control characters: what a receipt quotes must not steer the terminal."""
    parts = value if isinstance(value, list) else [value]
    return Text(", ".join("" if part is None else json.dumps(part).strip('"') for part in parts))
