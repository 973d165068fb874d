"""`extproc doctor`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from extproc.cli.serve import ConfigFile

if TYPE_CHECKING:
    from extproc.istio.doctor.finding import Finding

_UNCUT_COLUMNS = 4_000
EXAMPLES = """Examples:

curl -s localhost:15000/config_dump | extproc doctor --config extproc.yaml --dump -

Exit status: 0 no finding of severity error, 1 one or more (with --strict also warnings), 2 used wrongly or no dump."""


def doctor(
    *,
    config: ConfigFile = None,
    dump: Annotated[Path | None, typer.Option(metavar="FILE", help="A config dump; `-` is standard input.")] = None,
    accept: Annotated[list[str] | None, typer.Option(metavar="ID", help="A finding that is meant to be so.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings give exit status 1 too.")] = False,
    format_: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print.")] = "text",
) -> None:
    """Say what a running gateway will break or leave open: its config dump against the server's configuration."""
    from extproc.config import load_settings
    from extproc.istio.doctor import examine, sources

    unknown = sorted(set(accept or ()) - examine.IDS)
    if unknown:
        raise typer.BadParameter(f"no finding has the id {', '.join(unknown)}", param_hint="--accept")
    if dump is None:
        raise typer.BadParameter("name a dump", param_hint="--dump")
    found = examine.examine(sources.from_file(dump), examine.expected_of(load_settings(config)))
    findings = examine.accepting(found, accept or ())
    _print(findings, format_)
    if examine.failed(findings, strict=strict):
        raise typer.Exit(1)


def _print(findings: "list[Finding]", format_: str) -> None:
    from rich.console import Console

    from extproc.istio.doctor import report

    if format_ == "json":
        typer.echo(report.as_json(findings))
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNCUT_COLUMNS
    report.print_findings(findings, console)
