"""`extproc config`: check a configuration before it is used, and its schema for editors."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Check a configuration, or print its schema.")


@app.command()
def check(file: Annotated[Path, typer.Argument(help="The YAML file that `extproc serve` will be given.")]) -> None:
    """Name every error by key and line.

    Example: `extproc config check extproc.yaml`

    Exit status: 0 usable, 2 not.
    """
    from extproc.config import load_settings
    from extproc.server.translation import STREAMS, receive_limit_bytes

    settings = load_settings(file)
    budget, bound = settings.inspection.memory_bytes, STREAMS * receive_limit_bytes(settings)
    typer.echo(f"{file}: usable, policy mode {settings.policy.mode}")
    typer.echo(f"memory of a worker: bodies up to {budget >> 20} MiB, then new ones are answered 503;")
    typer.echo(f"  never more than {bound >> 20} MiB of messages ({STREAMS} streams x the receive limit)")


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file, for editors and linters.

    Example: `extproc config schema > extproc.schema.json`
    """
    from extproc.config import Settings

    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))
