"""`extproc keys`: make a signing key, show its public half.  Exit status: 0 fine, 2 used wrongly."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from extproc.errors import KeyFileError
from extproc.evidence.keys import create_signer, jwks, load_signer

app = typer.Typer(no_args_is_help=True, help="Signing keys.")

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The private key: PKCS #8 in PEM.")]


@app.command(epilog="Example: extproc keys new receipts/signing.pem")
def new(file: _File) -> None:
    """Make an Ed25519 signing key (mode 0600) and print its key id.  A file that exists is left alone."""
    with _exit_status():
        typer.echo(create_signer(file).kid)


@app.command(
    epilog="Examples:\n\nextproc keys show receipts/signing.pem > pinned.jwks\n\nextproc keys show --pem signing.pem"
)
def show(
    file: _File, *, pem: Annotated[bool, typer.Option("--pem", help="SPKI in PEM, not a JWK Set.")] = False
) -> None:
    """Print the public half of a signing key, to be pinned by those who verify."""
    with _exit_status():
        verifier = load_signer(file).verifier
        typer.echo(verifier.pem() if pem else jwks([verifier]), nl=False)


@contextmanager
def _exit_status() -> Iterator[None]:
    try:
        yield
    except KeyFileError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
