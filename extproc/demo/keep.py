"""What stays up after the story: addresses, lines to paste, and what happens while somebody plays with it."""

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from extproc.demo.report import decision_text
from extproc.demo.stage import Stage
from extproc.demo.story import Exchange
from extproc.demo.traces import attributes_of
from extproc.telemetry.otlp_messages import Span

_LOOK_S = 0.25
_PASTED_BYTES = 200
_WORTH_SHOWING = frozenset({"warning", "error", "critical"})


async def stay(scene: Stage, story: Sequence[Exchange], console: Console) -> None:
    """Print where everything is, then every decision and every reload, until SIGINT or SIGTERM.

    From then on both signals say nothing new: the caller stops everything.
    """
    console.print()
    console.print(_addresses(scene))
    console.print(Text("\nto try, in another terminal", "bold"))
    for title, line in curl_lines(story, scene.envoy.address):
        console.print(Text(f"  # {title}", "dim"))
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print(Text("\nto check the receipts yourself", "bold"))
    verify = shlex.join(
        [*own_command(Path(sys.argv[0])), "receipts", "verify", str(scene.receipts), "--key", str(scene.pinned)]
    )
    console.print(Text(f"  {verify}"), soft_wrap=True)
    rule = scene.policies / "extproc" / "request" / "injection.rego"
    console.print(Text.assemble("\nedit ", (str(rule), "bold"), ": a saved policy decides the next exchange."))
    console.print(Text("decisions appear here; Ctrl-C stops everything\n", "dim"))
    await _until_stopped(scene, console)


def curl_lines(story: Sequence[Exchange], address: str) -> Iterator[tuple[str, str]]:
    """The title of each exchange without a body, or with a short one of text, and a line to paste that repeats it."""
    for exchange in story:
        words = ["curl", "-i", f"http://{address}{exchange.path}"]
        if exchange.body:
            text = exchange.body.decode(errors="replace")
            if len(exchange.body) > _PASTED_BYTES or text.encode() != exchange.body or not text.isprintable():
                continue
            words += ["-H", f"content-type: {exchange.content_type}", "--data-binary", text]
        yield exchange.title, shlex.join(words)


def own_command(program: Path) -> list[str]:
    """The words that run this program again from a fresh shell; `program` is sys.argv[0], a module with `python -m`."""
    return [sys.executable, "-m", "extproc"] if program.suffix == ".py" else [str(program.absolute())]


def _addresses(scene: Stage) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, where in (
        ("gateway (Envoy)", f"http://{scene.envoy.address}"),
        ("Envoy's admin", f"http://{scene.envoy.admin}"),
        ("extproc's admin", f"http://{scene.server.admin}/metrics  /readyz  /jwks.json"),
        ("upstream", f"http://{scene.upstream.address}, not guarded"),
        ("OTLP receiver", scene.collector.endpoint),
        ("policies", str(scene.policies)),
        ("receipts", str(scene.receipts)),
        ("configurations, logs", str(scene.folder)),
    ):
        table.add_row(name, Text(where))
    return table


async def _until_stopped(scene: Stage, console: Console) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    shown, log = len(scene.collector.spans()), _Follower(scene.server.log)
    while not stopped.is_set():
        spans = scene.collector.spans()
        for span in spans[shown:]:
            if span.name == "policy.decision":
                console.print(_decided(span))
        shown = len(spans)
        for line in log.news():
            console.print(line)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _LOOK_S)


def _decided(span: Span) -> Text:
    attributes = attributes_of(span)
    at = datetime.fromtimestamp(span.end_time_unix_nano / 1e9, UTC).astimezone()
    return Text.assemble((f"{at:%H:%M:%S} ", "dim"), f"{attributes.get('http.request.method', '')} ") + decision_text(
        attributes
    )


class _Follower:
    """What the server logs from now on, as far as a person at the demo wants to know it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size

    def news(self) -> list[Text]:
        """Reloads, warnings and errors that came since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(newline)
        return [text for line in whole.splitlines() if (text := _said(line)) is not None]


def _said(line: bytes) -> Text | None:
    """A record of the server's JSON log, if it is worth showing; what is no record is shown as it is."""
    try:
        record = json.loads(line)
    except ValueError:
        return Text(line.decode(errors="replace"), "yellow")
    if record.get("message") == "policy loaded":
        return Text(f"policy loaded: {str(record.get('policy_digest'))[:12]}…", "bold blue")
    if record.get("level") in _WORTH_SHOWING:
        return Text(" ".join(str(record[key]) for key in ("message", "reason") if key in record), "yellow")
    return None
