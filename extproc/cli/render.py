"""`extproc render`: the gateway's configuration from the same file that the server reads."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from extproc import __version__

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
    output: Annotated[Literal["yaml", "json"], typer.Option(help="The format.")] = "yaml",
) -> None:
    """Print the bootstrap of a plain Envoy that asks this server about every exchange.

    Example:  extproc render envoy --config extproc.yaml --listen 0.0.0.0:8080 --upstream 127.0.0.1:3000 > envoy.yaml
    """
    from extproc.config import load_settings
    from extproc.istio.bootstrap import bootstrap
    from extproc.istio.gateway import address_of
    from extproc.istio.mapping import gateway_of
    from extproc.istio.protojson import to_json, to_yaml

    gateway = gateway_of(
        load_settings(config),
        listen=address_of(listen),
        upstream=address_of(upstream),
        admin=address_of(admin),
        otlp=None if otlp is None else address_of(otlp),
    )
    message = bootstrap(gateway)
    typer.echo(to_yaml(message) if output == "yaml" else to_json(message), nl=False)


@app.command()
def istio(  # noqa: PLR0913 - one parameter for each option
    *,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="The server's configuration.")] = None,
    profile: Annotated[
        Literal["service", "in-pod"], typer.Option(help="Pods of its own, or a container beside the gateway.")
    ] = "service",
    gateway: Annotated[
        Literal["classic", "gateway-api"], typer.Option(help="Istio's own gateway, or the Gateway API's.")
    ] = "classic",
    namespace: Annotated[str, typer.Option(metavar="NAME", help="Where the server runs.")] = "extproc",
    gateway_namespace: Annotated[str, typer.Option(metavar="NAME", help="Where the gateway runs.")] = "istio-system",
    gateway_service_account: Annotated[
        str, typer.Option(metavar="NAME", help="Whom the server lets ask (classic).")
    ] = "istio-ingressgateway-service-account",
    selector: Annotated[
        list[str] | None, typer.Option(metavar="LABEL=VALUE", help="The gateway's pods (classic); repeatable.")
    ] = None,
    gateway_name: Annotated[str | None, typer.Option(metavar="NAME", help="The Gateway (gateway-api).")] = None,
    trust_domain: Annotated[str, typer.Option(metavar="NAME", help="The mesh's.")] = "cluster.local",
    exclude_route: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A route that nobody inspects; repeatable.")
    ] = None,
    image: Annotated[str, typer.Option(metavar="IMAGE", help="The server's.")] = f"extproc:{__version__}",
    replicas: Annotated[int, typer.Option(min=2, help="Pods of the server.")] = 2,
    receipts_size: Annotated[str, typer.Option(metavar="QUANTITY", help="The receipts' volume.")] = "8Gi",
    storage_class: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its class; without one it is an emptyDir.")
    ] = None,
    revision: Annotated[str | None, typer.Option(metavar="NAME", help="Istio's, where it has one.")] = None,
    part: Annotated[
        Literal["all", "server", "gateway", "gateway-pods"],
        typer.Option(help="The server, what makes the gateway ask it, or a patch for the gateway's own pods."),
    ] = "all",
) -> None:
    """Print what a mesh needs so that its ingress gateway asks this server about every exchange.

    Example:  extproc render istio --config extproc.yaml --part server | kubectl apply -f -
    """
    from extproc.config import load_settings
    from extproc.istio.attachment import Attachment, ingress_gateway, named
    from extproc.istio.manifests.pod import Workload
    from extproc.istio.manifests.render import render
    from extproc.istio.protojson import manifests
    from extproc.server.translation import most_memory_bytes

    settings = load_settings(config)
    attachment = Attachment(
        gateway=ingress_gateway(
            kind=gateway,
            namespace=gateway_namespace,
            name=gateway_name,
            service_account=gateway_service_account,
            labels=tuple(selector or ["istio=ingressgateway"]),
        ),
        namespace=named(namespace),
        profile=profile,
        trust_domain=trust_domain,
        excluded_routes=tuple(exclude_route or ()),
    )
    workload = Workload(
        image=image,
        memory_bytes=most_memory_bytes(settings),
        replicas=replicas,
        receipts_size=receipts_size,
        storage_class=storage_class,
        revision=revision,
    )
    typer.echo(manifests(render(settings, attachment, workload, part)), nl=False)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML with EnvoyFilters of this server.")],
) -> None:
    """Read EnvoyFilters as strictly as istiod does not: it drops a misspelt field, or a whole patch, in silence.

    Example:  extproc render check envoyfilters/overlays/service/envoyfilter-extproc.yaml

    Exit status: 0 fine, 2 not.  It does not say whether the gateway is reached: ask `extproc doctor`.
    """
    from extproc.istio.manifests.reading import check_files

    typer.echo(f"{check_files(files)} EnvoyFilters are fine")
