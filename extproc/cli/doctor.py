"""`extproc doctor`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from extproc.cli.serve import ConfigFile

if TYPE_CHECKING:
    from extproc.istio.doctor.finding import Finding
    from extproc.istio.doctor.sources import Source

_UNCUT_COLUMNS = 4_000
EXAMPLES = """Examples:

extproc doctor --config extproc.yaml --pod istio-ingressgateway-7d9c-x2x1z -n istio-system

curl -s localhost:15000/config_dump | extproc doctor --config extproc.yaml --dump -

extproc doctor --config extproc.yaml --admin http://127.0.0.1:9901 --probe https://shop.test/orders --strict

Exit status: 0 no finding of severity error, 1 one or more (with --strict also warnings), 2 used wrongly or no dump."""

_Dump = Annotated[Path | None, typer.Option(metavar="FILE", help="A config dump; `-` is standard input.")]
_Admin = Annotated[str | None, typer.Option(metavar="URL", help="Envoy's admin interface.")]
_Pod = Annotated[str | None, typer.Option(metavar="NAME", help="The gateway's pod, through kubectl or istioctl.")]
_Namespace = Annotated[str, typer.Option("--namespace", "-n", help="The pod's namespace.")]
_ServerNamespace = Annotated[str, typer.Option(metavar="NAME", help="Where in the mesh the server runs.")]
_ProbeUrl = Annotated[str | None, typer.Option(metavar="URL", help="Ask the gateway for this; it must deny.")]
_ProbeHeader = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME:VALUE", help="The probe's headers, in place of extproc-probe:deny.  Also `host`."),
]
_ProbeBody = Annotated[str | None, typer.Option(metavar="JSON", help="The probe's body, sent by POST.")]
_Accept = Annotated[list[str] | None, typer.Option(metavar="ID", help="A finding that is meant to be so.")]
_ExcludeRoute = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST/ROUTE", help="A route that is meant to pass uninspected, as for `render istio`."),
]
_Strict = Annotated[bool, typer.Option("--strict", help="Warnings give exit status 1 too.")]
_Format = Annotated[Literal["text", "json"], typer.Option("--format", help="How to print.")]


def doctor(  # noqa: PLR0913 - one parameter for each option
    *,
    config: ConfigFile = None,
    dump: _Dump = None,
    admin: _Admin = None,
    pod: _Pod = None,
    namespace: _Namespace = "istio-system",
    server_namespace: _ServerNamespace = "extproc",
    probe: _ProbeUrl = None,
    probe_header: _ProbeHeader = None,
    probe_body: _ProbeBody = None,
    accept: _Accept = None,
    exclude_route: _ExcludeRoute = None,
    strict: _Strict = False,
    format_: _Format = "text",
) -> None:
    """Say what a running gateway will break or leave open: its config dump against the server's configuration."""
    from extproc.config import load_settings
    from extproc.istio.doctor import examine
    from extproc.istio.doctor.confirm import confirm
    from extproc.istio.doctor.probe import probe_of

    _check_accepted(frozenset(accept or ()))
    named = sum(source is not None for source in (dump, admin, pod))
    if named > 1 or (named == 0 and probe is None):
        raise typer.BadParameter("name one dump: --dump, --admin or --pod; or --probe alone", param_hint="--dump")
    request = None if probe is None else probe_of(probe, probe_header or (), probe_body)
    settings = load_settings(config)
    expected = examine.expected_of(settings, excluded_routes=exclude_route or (), namespace=server_namespace)
    found = []
    if source := _source(dump, admin, pod, namespace):
        found += examine.examine(source.dump, expected, source.process)
    if request is not None:
        found += asyncio.run(confirm(request, settings))
    findings = examine.accepting(found, accept or ())
    _print(findings, format_)
    if examine.failed(findings, strict=strict):
        raise typer.Exit(1)


def _check_accepted(ids: frozenset[str]) -> None:
    from extproc.istio.doctor import examine
    from extproc.istio.doctor.probe import OUTCOMES

    if unknown := sorted(ids - examine.IDS - {outcome.id for outcome in OUTCOMES}):
        raise typer.BadParameter(f"no finding has the id {', '.join(unknown)}", param_hint="--accept")
    if general := sorted(ids & examine.BY_ROUTE):
        raise typer.BadParameter(f"{', '.join(general)}: name the route, with --exclude-route", param_hint="--accept")


def _source(dump: Path | None, admin: str | None, pod: str | None, namespace: str) -> "Source | None":
    from extproc.istio.doctor import sources

    if dump is not None:
        return sources.from_file(dump)
    if admin is not None:
        return asyncio.run(sources.from_admin(admin))
    return None if pod is None else asyncio.run(sources.from_pod(pod, namespace))


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
