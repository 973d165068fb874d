"""An EnvoyFilter of ours: one that `render` prints for some configuration and some gateway, changed in nothing else."""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

from extproc.errors import ConfigurationError
from extproc.istio.attachment import Attachment, IngressGateway, ingress_gateway
from extproc.istio.envoy_filter import ConfigPatch, EnvoyFilter, read
from extproc.istio.inference import Values, namespace_of, settings_of
from extproc.istio.mapping import envoy_filter_of
from extproc.istio.strict import canonical

_SHOWN = 80
_ABSENT = object()


def check(document: Mapping[str, object]) -> None:
    """Read an EnvoyFilter strictly, and hold it against what `render` prints.

    What the server's configuration and the command's options decide may be whatever they can say.  All else has to be
    as rendered: which patches there are and in what order, where each goes and how, every field of every filter.  Free
    are the object's name and labels, and a priority above 0.

    Raises ConfigurationError that names the patch and the field.  Does **not** say whether the values are those of your
    configuration, nor whether it attaches to anything: `extproc doctor` does.
    """
    found = read(document)
    expected = _rendered_like(found)
    for difference in (*_out_of_place(found, expected), *_differences("", _parts(found), _parts(expected))):
        raise ConfigurationError(f"EnvoyFilter {difference}")


def _rendered_like(found: EnvoyFilter) -> EnvoyFilter:
    """For the settings and the gateway that are read out of it; what cannot be read is as by default."""
    values: Values = {_title(each): canonical(each.apply_to, each.patch.value) for each in found.spec.config_patches}
    routes = tuple(_excluded_routes(found))
    settings = settings_of(values)
    try:
        attachment = Attachment(
            gateway=_gateway(found),
            namespace=namespace_of(values),
            profile="in-pod" if settings.listen.startswith("unix:") else "service",
            excluded_routes=routes,
        )
        return envoy_filter_of(settings, attachment)
    except ConfigurationError as error:
        raise ConfigurationError(f"EnvoyFilter: no options render this: {error}") from None


def _gateway(found: EnvoyFilter) -> IngressGateway:
    refs, selector = found.spec.target_refs, found.spec.workload_selector
    return ingress_gateway(
        kind="gateway-api" if refs else "classic",
        namespace=found.metadata.namespace,
        name=refs[0].name if refs else None,
        service_account=None,
        labels=tuple(f"{key}={value}" for key, value in selector.labels.items()) if selector else (),
    )


def _out_of_place(found: EnvoyFilter, expected: EnvoyFilter) -> Iterator[str]:
    titles = ([_title(each) for each in one.spec.config_patches] for one in (found, expected))
    for number, (mine, rendered) in enumerate(zip_longest(*titles, fillvalue="nothing")):
        if mine != rendered:
            yield f"spec.configPatches.{number}: {mine}, where render has {rendered}"


def _title(patch: ConfigPatch) -> str:
    """What a patch is for."""
    routes = patch.match.route_configuration
    of = patch.patch.value.get("name", "") if routes is None else routes.vhost.route.name
    return f"{patch.apply_to} {of}".rstrip()


def _excluded_routes(found: EnvoyFilter) -> Iterator[str]:
    for number, patch in enumerate(found.spec.config_patches):
        if patch.apply_to != "HTTP_ROUTE":
            continue
        routes = patch.match.route_configuration
        if routes is None:
            place = f"EnvoyFilter spec.configPatches.{number}.match.routeConfiguration"
            raise ConfigurationError(f"{place}: missing, and without it every route passes uninspected")
        host = routes.vhost.domain_name
        yield routes.vhost.route.name if host is None else f"{host}/{routes.vhost.route.name}"


def _parts(one: EnvoyFilter) -> dict[str, object]:
    """Everything that has to be as rendered."""
    patches = [
        {
            "applyTo": each.apply_to,
            "match": each.match.model_dump(by_alias=True, exclude_none=True),
            "patch": {
                "operation": each.patch.operation,
                "value": canonical(each.apply_to, each.patch.value),
            },
        }
        for each in one.spec.config_patches
    ]
    name = "envoyfilter.istio.io/referenced-services"
    annotations = {key: value for key, value in (one.metadata.annotations or {}).items() if key == name}
    refs = [] if one.spec.target_refs is None else [each.name for each in one.spec.target_refs]
    return {"spec": {"configPatches": patches, "targetRefs": refs}, "metadata": {"annotations": annotations}}


def _differences(place: str, found: object, expected: object) -> Iterator[str]:
    """Each with the place of the field, the outer ones in the order of the rendering."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in [*expected, *(key for key in found if key not in expected)]:
            within = f"{place}.{key}".removeprefix(".")
            yield from _differences(within, found.get(key, _ABSENT), expected.get(key, _ABSENT))
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, pair in enumerate(zip(found, expected, strict=True)):
            yield from _differences(f"{place}.{number}", *pair)
    elif found is _ABSENT:
        yield f"{place}: missing, render has {_shown(expected)}"
    elif expected is _ABSENT:
        yield f"{place}: {_shown(found)}, which render does not have"
    elif found != expected:
        yield f"{place}: {_shown(found)}, where render has {_shown(expected)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
