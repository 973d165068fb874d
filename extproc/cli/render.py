"""`extproc render`: the gateway's configuration from the same file that the server reads."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from extproc.cli.render_istio import istio

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Write what the gateway needs, from the same file that the server reads."""


@app.command()
def envoy(  # noqa: PLR0913 - one parameter for each option
    *,
    listen: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where Envoy takes requests.")],
    upstream: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where it sends what was allowed.")],
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="The server's configuration.")] = None,
    admin: Annotated[str, typer.Option(metavar="HOST:PORT", help="Envoy's own admin interface.")] = "127.0.0.1:9901",
    otlp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where Envoy's spans go.")] = None,
    client_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Envoy's own, PEM, where the server has `tls`.")
    ] = None,
    client_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key.")] = None,
    server_ca: Annotated[Path | None, typer.Option(metavar="FILE", help="The CA of the server's certificate.")] = None,
    server_san: Annotated[
        str | None, typer.Option(metavar="NAME", help="The URI or DNS name that it must have.")
    ] = None,
    output: Annotated[Literal["yaml", "json"], typer.Option(help="The format.")] = "yaml",
) -> None:
    """Print the bootstrap of a plain Envoy that asks this server about every exchange.

    Example:  extproc render envoy --config extproc.yaml --listen 0.0.0.0:8080 --upstream 127.0.0.1:3000 > envoy.yaml
    """
    from extproc.config import load_settings
    from extproc.istio.bootstrap import bootstrap
    from extproc.istio.gateway import address_of
    from extproc.istio.mapping import client_tls_of, gateway_of
    from extproc.istio.protojson import to_json, to_yaml

    settings = load_settings(config)
    gateway = gateway_of(
        settings,
        listen=address_of(listen),
        upstream=address_of(upstream),
        admin=address_of(admin),
        otlp=None if otlp is None else address_of(otlp),
        tls=client_tls_of(settings, client_certificate, client_key, server_ca, server_san),
    )
    message = bootstrap(gateway)
    typer.echo(to_yaml(message) if output == "yaml" else to_json(message), nl=False)


app.command()(istio)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML with EnvoyFilters of this server.")],
) -> None:
    """Read EnvoyFilters as strictly as istiod does not: it drops a misspelt field, or a whole patch, in silence.

    What no configuration renders is refused too: a filter that is missing or out of its order, fails open, or goes
    elsewhere; an exclusion of more than a route. Files may be as applied, or as a cluster returns them.

    Example:  extproc render check envoyfilters/overlays/service/envoyfilter-extproc.yaml

    Exit status: 0 fine, 2 not.  It does not say whether the values are those of your configuration, nor whether the
    gateway is reached: ask `extproc doctor`.
    """
    from extproc.istio.manifests.reading import check_files

    typer.echo(f"{check_files(files)} EnvoyFilters are fine")
