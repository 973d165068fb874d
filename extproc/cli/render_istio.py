"""`extproc render istio`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from extproc import __version__
from extproc.errors import PolicyLoadError

if TYPE_CHECKING:
    from extproc.config import Settings

_Config = Annotated[Path | None, typer.Option(metavar="FILE", help="The server's configuration.")]
_Profile = Annotated[
    Literal["service", "in-pod"], typer.Option(help="Pods of its own, or a container beside the gateway.")
]
_Gateway = Annotated[Literal["classic", "gateway-api"], typer.Option(help="Istio's own gateway, or the Gateway API's.")]
_Namespace = Annotated[str, typer.Option(metavar="NAME", help="Where the server runs.")]
_GatewayNamespace = Annotated[str, typer.Option(metavar="NAME", help="Where the gateway runs.")]
_ServiceAccount = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Whom the server lets ask (classic).", show_default="that of istioctl install"),
]
_Selector = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=VALUE", help="The gateway's pods (classic); repeatable.", show_default="extproc=enabled"
    ),
]
_GatewayName = Annotated[str | None, typer.Option(metavar="NAME", help="The Gateway (gateway-api).")]
_TrustDomain = Annotated[str, typer.Option(metavar="NAME", help="The mesh's.")]
_Routes = Annotated[
    list[str] | None, typer.Option(metavar="HOST/ROUTE", help="A route that nobody inspects; repeatable.")
]
_Image = Annotated[str, typer.Option(metavar="IMAGE", help="The server's.")]
_Replicas = Annotated[int, typer.Option(min=2, help="Pods of the server.")]
_Size = Annotated[str, typer.Option(metavar="QUANTITY", help="The receipts' volume.")]
_Class = Annotated[str | None, typer.Option(metavar="NAME", help="Its class; without one it is an emptyDir.")]
_Revision = Annotated[str | None, typer.Option(metavar="NAME", help="Istio's, where it has one.")]
_Part = Annotated[
    Literal["all", "server", "gateway", "gateway-pods"],
    typer.Option(help="The server, what makes the gateway ask it, or a patch for the gateway's own pods."),
]


def istio(  # noqa: PLR0913 - one parameter for each option
    *,
    config: _Config = None,
    profile: _Profile = "service",
    gateway: _Gateway = "classic",
    namespace: _Namespace = "extproc",
    gateway_namespace: _GatewayNamespace = "istio-system",
    gateway_service_account: _ServiceAccount = None,
    selector: _Selector = None,
    gateway_name: _GatewayName = None,
    trust_domain: _TrustDomain = "cluster.local",
    exclude_route: _Routes = None,
    image: _Image = f"extproc:{__version__}",
    replicas: _Replicas = 2,
    receipts_size: _Size = "8Gi",
    storage_class: _Class = None,
    revision: _Revision = None,
    part: _Part = "all",
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
    asked_by = ingress_gateway(
        kind=gateway,
        namespace=gateway_namespace,
        name=gateway_name,
        service_account=gateway_service_account,
        labels=tuple(selector or ()),
    )
    routes, memory = tuple(exclude_route or ()), most_memory_bytes(settings)
    attachment = Attachment(asked_by, named(namespace), profile, trust_domain=trust_domain, excluded_routes=routes)
    pods = Workload(image, memory, replicas, receipts_size, storage_class=storage_class, revision=revision)
    documents = render(settings, attachment, pods, part)
    if part != "gateway":
        _check_policies(settings)
    typer.echo(manifests(documents), nl=False)


def _check_policies(settings: "Settings") -> None:
    """Raise PolicyLoadError for what no pod could load: nothing is printed, so nothing is applied."""
    from extproc.server.policies import compiled

    try:
        compiled(settings)
    except PolicyLoadError as error:
        raise PolicyLoadError(f"no pod would become ready: {error}") from error
