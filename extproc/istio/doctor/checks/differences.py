"""Every field of the ext_proc filter that no other check names with a reason."""

from collections.abc import Iterator

import betterproto2
from envoy_data_plane.envoy.config.core.v3 import GrpcService
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ExternalProcessor

from extproc.core.events import JSON
from extproc.istio.attachment import Attachment, ClassicGateway
from extproc.istio.doctor.checks.processor import CODE_DETAILS, JWT
from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import Node
from extproc.istio.doctor.reading import Reader
from extproc.istio.doctor.view import HttpChain, Processor, View
from extproc.istio.patches import remote
from extproc.istio.processor import LOCAL, processor

# What checks/processor.py says; the last two are looked at below, but for what is said of them there.
_SAID = frozenset(
    {
        *("failure_mode_allow", "observability_mode", "disable_immediate_response", "processing_mode"),
        *("allow_mode_override", "allowed_override_modes", "message_timeout", "mutation_rules"),
        *("grpc_service", "metadata_options"),
    }
)
_IN_MESH = "outbound|"
_ANY_GATEWAY = ClassicGateway("", "", ())


def _differs(view: View, expected: Expected) -> Iterator[Spot]:
    wanted = _rendered(expected)
    for chain, ours in view.processed:
        found = _document(ours.config)
        for name in sorted((wanted.keys() | found.keys()) - _SAID):
            if name not in found:
                yield Spot(ours.path_to(name), "is missing, or was dropped for its spelling")
            elif found[name] != wanted.get(name) and not _missing_details(name, found, wanted):
                yield Spot(ours.path_to(name), "is not what this configuration renders")
        yield from _service(ours, expected)
        yield from _metadata(chain, ours, wanted)


def _rendered(expected: Expected) -> dict[str, JSON]:
    packed = processor(expected.gateway).typed_config
    rendered = packed.unpack() if packed else None
    if not isinstance(rendered, ExternalProcessor):
        raise TypeError("the rendered filter is an ExternalProcessor")
    return _document(rendered)


def _missing_details(name: str, found: dict[str, JSON], wanted: dict[str, JSON]) -> bool:
    """Whether nothing is missing but what `code_details` says."""
    values, others = found[name], wanted.get(name)
    if name != "response_attributes" or not isinstance(values, list) or not isinstance(others, list):
        return False
    return [each for each in others if each != CODE_DETAILS] == values


def _service(ours: Processor, expected: Expected) -> Iterator[Spot]:
    """All but the cluster's name (`cluster_missing`, `cluster_other`), and with another cluster the host's."""
    in_mesh = ours.cluster.startswith(_IN_MESH)
    rendered = remote(Attachment(_ANY_GATEWAY, namespace=expected.namespace)) if in_mesh else LOCAL
    # Read as the dump is: what an Any holds is left out.
    wanted = Reader().read(Node("", rendered.to_dict(casing=betterproto2.Casing.SNAKE)), GrpcService)
    places, others = (_places(each) for each in (ours.config.grpc_service, wanted))
    named = {"envoy_grpc.cluster_name"} | (set() if ours.cluster in expected.clusters else {"envoy_grpc.authority"})
    for name in sorted((places.keys() | others.keys()) - named):
        if places.get(name) != others.get(name):
            yield Spot(f"{ours.path_to('grpc_service')}.{name}", "is not what this configuration renders")


def _places(service: GrpcService | None) -> dict[str, JSON]:
    """The fields of a GrpcService, those of `envoy_grpc` each by itself."""
    found = {} if service is None else _document(service)
    grpc = found.pop("envoy_grpc", None)
    return found | {f"envoy_grpc.{name}": value for name, value in (grpc.items() if isinstance(grpc, dict) else ())}


def _metadata(chain: HttpChain, ours: Processor, wanted: dict[str, JSON]) -> Iterator[Spot]:
    """What is there beyond the rendered, or is not and is not said to be missing."""
    options, others = _document(ours.config).get("metadata_options"), wanted["metadata_options"]
    said = {"receiving_namespaces", *(("forwarding_namespaces",) if chain.named(JWT) else ())}
    for name in ("forwarding_namespaces", "receiving_namespaces", "cluster_metadata_forwarding_namespaces"):
        found, rendered = (_namespaces(each, name) for each in (options, others))
        if found - rendered or (rendered - found and name not in said):
            yield Spot(f"{ours.path_to('metadata_options')}.{name}", "is not what this configuration renders")


def _namespaces(options: JSON, name: str) -> set[tuple[str, str]]:
    several = options.get(name) if isinstance(options, dict) else None
    lists = several.items() if isinstance(several, dict) else ()
    return {(kind, str(each)) for kind, values in lists if isinstance(values, list) for each in values}


def _document(message: betterproto2.Message) -> dict[str, JSON]:
    return message.to_dict(casing=betterproto2.Casing.SNAKE)


CHECKS = (
    Check(
        "differs_from_render",
        Severity.WARNING,
        "The gateway was rendered from another configuration, by hand, or a misspelt field was dropped in silence.",
        "Render the filter again from this configuration, and validate it strictly before it is applied.",
        _differs,
    ),
)
