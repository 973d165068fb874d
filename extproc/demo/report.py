"""What a person reads: the table of exchanges, the traces as a tree, and what to look at when a row is wrong."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeAlias

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from extproc.demo.story import Exchange, Observed, differences
from extproc.demo.traces import Node, trees
from extproc.evidence.verify import Verified
from extproc.telemetry.otlp_messages import ResourceSpans

_COLOUR = {"allow": "green", "deny": "red", "error": "yellow"}
_CALL = "async envoy.service.ext_proc.v3."
_TAIL_LINES = 12
Received: TypeAlias = Iterable[ResourceSpans]


@dataclass(frozen=True, slots=True)
class Row:
    """An exchange of the story, and what came of it."""

    exchange: Exchange
    observed: Observed

    @property
    def differences(self) -> tuple[str, ...]:
        """What is not as expected."""
        return differences(self.exchange, self.observed)


def banner() -> Panel:
    """What is about to be seen."""
    text = Text.assemble(
        ("extproc", "bold"),
        " reads whole HTTP exchanges behind a real Envoy, lets Rego decide, and signs every decision.\n",
        ("Everything here runs on this machine, on loopback ports.", "dim"),
    )
    return Panel(text, box=box.ROUNDED, border_style="blue", expand=False)


def results(rows: Sequence[Row]) -> Table:
    """One row for each exchange, in 120 columns or more."""
    table = Table(box=box.ROUNDED, border_style="dim", show_lines=True, header_style="bold", expand=True)
    table.add_column("", justify="right", width=2)
    table.add_column("what was sent", ratio=26)
    table.add_column("what the client got", ratio=29)
    table.add_column("upstream saw", width=12)
    table.add_column("decided by, receipt, verified", min_width=36, no_wrap=True)
    for number, row in enumerate(rows, start=1):
        table.add_row(
            Text("✗", "bold red") if row.differences else Text(str(number), "dim"),
            _sent(row.exchange),
            _got(row.observed),
            Text("the request") if row.observed.arrival else Text("nothing", "dim"),
            _decided(row.observed),
        )
    return table


def summary(rows: Sequence[Row], verified: Verified, kid: str, seconds: float) -> Text:
    """The whole in two lines."""
    wrong = sum(1 for row in rows if row.differences)
    done = Text(f"✓ all {len(rows)} exchanges went as expected", "bold green")
    failed = Text(f"✗ {wrong} of {len(rows)} exchanges did not go as expected", "bold red")
    return Text.assemble(
        failed if wrong else done,
        f", {seconds:.1f} s after the start\n",
        f"  {verified.receipts} receipts verified: one unbroken log, signed with the pinned key {kid}",
    )


def complaints(rows: Sequence[Row]) -> Text:
    """Which rows differ, and how."""
    lines = [
        f"row {number}, {row.exchange.title}: {'; '.join(row.differences)}"
        for number, row in enumerate(rows, start=1)
        if row.differences
    ]
    return Text("\n".join(lines), "red")


def log_tail(path: Path) -> Panel:
    """The end of a log, for whoever has to find out."""
    lines = path.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if path.exists() else []
    return Panel(Text("\n".join(lines) or "nothing"), title=str(path), border_style="red")


def traces(rows: Sequence[Row], received: Received) -> Tree:
    """The traces of the told exchanges whole, of the others one line each."""
    spans = tuple(received)
    title = Text.assemble(("the spans that the OTLP receiver got", "bold"), ", each decision with its signed receipt")
    root = Tree(title, guide_style="dim")
    for row in sorted(rows, key=lambda row: not row.exchange.told):
        if not row.observed.proofs:
            continue
        trace_id = row.observed.proofs[0].trace_id
        found = trees(spans, trace_id)
        if row.exchange.told:
            branch = root.add(Text.assemble((row.exchange.title, "bold"), (f"   trace {trace_id}", "dim")))
            for node in found:
                _grow(branch, node)
        else:
            root.add(_in_short(row, found))
    return root


def _grow(branch: Tree, node: Node) -> None:
    below = branch.add(span_line(node))
    for child in node.children:
        _grow(below, child)


def span_line(node: Node) -> Text:
    """One span: who sent it, its name, how long it took, and what it says."""
    attributes = node.attributes
    line = Text.assemble(
        (f"{node.service}  ", "cyan"), node.span.name.removeprefix(_CALL), (f"  {node.milliseconds:.1f} ms", "dim")
    )
    if node.span.name == "policy.decision":
        return line + Text("  ") + decision_text(attributes)
    if "http.method" in attributes and "http.url" in attributes:
        path = "/" + attributes["http.url"].split("/", 3)[-1]
        line += Text(f"  {attributes['http.method']} {path}")
    if status := attributes.get("http.status_code"):
        line += Text(f"  → {status}", _status_colour(int(status)))
    return line


def decision_text(attributes: Mapping[str, str]) -> Text:
    """What a decision span says: phase, verdict, reasons, and the id of the receipt inside it."""
    verdict = attributes.get("extproc.decision.verdict", "")
    return Text.assemble(
        f"{attributes.get('extproc.decision.phase', '')} ",
        (verdict, f"bold {_COLOUR.get(verdict, 'default')}"),
        (f" {reasons}" if (reasons := attributes.get("extproc.decision.reasons", "")) else "", "red"),
        (f"  {attributes.get('extproc.receipt.id', '')}", "dim"),
    )


def _in_short(row: Row, found: Sequence[Node]) -> Text:
    count = sum(node.count() for node in found)
    line = Text.assemble((f"{row.exchange.title:<28}", "bold"), (f"{count} spans", "dim"))
    for proof in row.observed.proofs:
        verdict = proof.statement.verdict
        line += Text.assemble(f"   {proof.statement.phase} ", (verdict, _COLOUR[verdict]))
        line += Text(f" {proof.reason}" if proof.reason else "", "red")
    return line


def _sent(exchange: Exchange) -> Text:
    lines = Text.assemble((exchange.title, "bold"), f"\n{exchange.method} {exchange.path}")
    if exchange.body:
        kind = "form" if exchange.content_type.endswith("urlencoded") else exchange.content_type
        lines += Text(f"\n{kind.removeprefix('application/')}, {len(exchange.body):,} bytes", "dim")
    if exchange.excerpt:
        lines += Text(f"\n{exchange.excerpt}", "yellow")
    return lines


def _got(observed: Observed) -> Text:
    try:
        phrase = HTTPStatus(observed.status).phrase
    except ValueError:
        phrase = "no answer"
    head = Text(f"{observed.status} {phrase}", f"bold {_status_colour(observed.status)}")
    return Text.assemble(head, f"\n{observed.message}")


def _decided(observed: Observed) -> Text:
    """Reason or verdict, by whom and when; the receipt; where copies of it, and of the phase before, hold."""
    if not observed.proofs:
        return Text("✗ no receipt", "bold red")
    last = observed.proofs[-1]
    verdict = last.statement.verdict
    by = "Rego" if last.entrypoint else "inspection"
    return Text.assemble(
        (last.reason or verdict, f"bold {_COLOUR[verdict]}"),
        (f"  {by}, {last.statement.phase}", "dim"),
        f"\n{observed.receipt_id}\n",
        ("✓ log ", "green"),
        ("✓ span", "green") if all(proof.in_span for proof in observed.proofs) else ("✗ span", "red"),
        (f"  {len(observed.proofs)} receipts" if len(observed.proofs) > 1 else "", "dim"),
    )


def _status_colour(status: int) -> str:
    return "green" if HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST else "red"
