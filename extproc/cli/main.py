"""The `extproc` command: one sub-command a module; errors are one sentence and an exit status.

Exit status: 0 fine, 1 found something, 2 used wrongly or cannot start.
"""

import sys

import typer

from extproc import __version__
from extproc.cli import config, demo, doctor, keys, receipts, render, serve
from extproc.errors import StartupError

app = typer.Typer(
    name="extproc",
    help="Rego decides on whole HTTP exchanges behind Envoy; every decision leaves a signed receipt.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.add_typer(render.app, name="render")
app.command("doctor", epilog=doctor.EXAMPLES)(doctor.doctor)
app.add_typer(receipts.app, name="receipts")
app.add_typer(keys.app, name="keys")
app.add_typer(config.app, name="config")


def _print_version(value: bool) -> None:  # noqa: FBT001 - typer hands the flag over by position
    if value:
        typer.echo(f"extproc {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),  # noqa: FBT001, FBT003 - typer's form
) -> None:
    """Take the options of the command itself."""


def main() -> None:
    """Run the command; a StartupError is its sentence on standard error and exit status 2."""
    try:
        app(prog_name="extproc")  # also where it runs as `python -m extproc`: completion is made of this name
    except StartupError as error:
        sys.stderr.write(f"extproc: {error}\n")
        sys.exit(2)
