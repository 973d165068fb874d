"""`extproc config`: check a configuration before it is used, and its schema for editors."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Check a configuration, or print its schema.")


@app.command()
def check(file: Annotated[Path, typer.Argument(help="The YAML file that `extproc serve` will be given.")]) -> None:
    """Name every error by key and line, and compile the policies as the server does.

    Example: `extproc config check extproc.yaml`

    Exit status: 0 usable, 2 not.
    """
    from extproc.config import load_settings
    from extproc.server.policies import compiled
    from extproc.server.translation import STREAMS, memory_bound

    settings = load_settings(file)
    policy = compiled(settings)
    bound, failure = memory_bound(settings), settings.blocking.failure_status
    typer.echo(f"{file}: usable, policy mode {settings.policy.mode}")
    if policy is None:
        typer.echo(f"policies: not compiled here, they are the OPA server's at {settings.policy.opa.url}")
    else:
        typer.echo(f"policies: they compile, digest {policy.policy_digest}")
    typer.echo(f"memory of a worker: never more than {_mib(bound.total)} MiB, the policy engine apart:")
    typer.echo(f"  {_mib(bound.bodies)} MiB of bodies, decoded or as they came; then new ones are answered {failure}")
    typer.echo(f"  {_mib(bound.messages)} MiB of messages ({STREAMS} streams x the receive limit)")
    typer.echo(f"  {_mib(bound.inspection)} MiB for the one body that is being inspected")


def _mib(size: int) -> int:
    """Rounded up: a bound that is printed must hold."""
    return -(-size >> 20)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the file, for editors and linters.

    Example: `extproc config schema > extproc.schema.json`
    """
    from extproc.config import Settings

    typer.echo(json.dumps(Settings.model_json_schema(), indent=2))
