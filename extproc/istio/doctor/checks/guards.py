"""The filters around the processor: that they are there, are ours, and stand where they guard."""

from collections.abc import Iterator

from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.http_filter import Filter
from extproc.istio.doctor.node import Node, shown
from extproc.istio.doctor.reading import Reader
from extproc.istio.doctor.view import HttpChain, View
from extproc.istio.gateway import NAMESPACE
from extproc.istio.guards import request_guard, response_guard, strip_client_headers
from extproc.istio.processor import FILTER_NAME

REQUEST_GUARD, RESPONSE_GUARD = request_guard().name, response_guard().name
STRIP = strip_client_headers("x-").name
OURS = frozenset({FILTER_NAME, REQUEST_GUARD, RESPONSE_GUARD, STRIP})

ISTIOS_KEY = "envoy.filters.http.ext_proc"
"""Istio's InferencePool routes override whatever filter has this name."""

_HTTP = "envoy.extensions.filters.http"
AUTHENTICATION = frozenset(
    f"{_HTTP}.{name}"
    for name in (
        *("jwt_authn.v3.JwtAuthentication", "oauth2.v3.OAuth2", "basic_auth.v3.BasicAuth"),
        *("api_key_auth.v3.ApiKeyAuth", "rbac.v3.RBAC", "ext_authz.v3.ExtAuthz"),
    )
)
DECOMPRESSOR = f"{_HTTP}.decompressor.v3.Decompressor"


def _request_guard(view: View, _: Expected) -> Iterator[Spot]:
    return _missing(view, REQUEST_GUARD)


def _response_guard(view: View, expected: Expected) -> Iterator[Spot]:
    return _missing(view, RESPONSE_GUARD) if expected.gateway.response_point else iter(())


def _client_headers(view: View, _: Expected) -> Iterator[Spot]:
    return _missing(view, STRIP)


def _missing(view: View, name: str) -> Iterator[Spot]:
    for chain, _processor in view.processed:
        if not chain.named(name):
            yield Spot(chain.node.path_to("http_filters"), f"holds no {name}")


def _guard_altered(view: View, expected: Expected) -> Iterator[Spot]:
    reader = Reader()
    for chain, _processor in view.processed:
        for rendered in _guards(expected):
            named = chain.named(rendered.name)
            if named and not _same(named[1].config, rendered, reader):
                yield Spot(named[1].config.path, f"{rendered.name} is not what this configuration renders")


def _guards(expected: Expected) -> Iterator[HttpFilter]:
    yield strip_client_headers(expected.gateway.prefix)
    yield request_guard()
    if expected.gateway.response_point:
        yield response_guard()


def _same(found: Node, rendered: HttpFilter, reader: Reader) -> bool:
    wanted = rendered.typed_config.unpack() if rendered.typed_config else None
    if wanted is None or found.type_name != _type_of(rendered):
        return False
    known = len(reader.unknown)
    return reader.read(found, type(wanted)) == wanted and len(reader.unknown) == known


def _type_of(rendered: HttpFilter) -> str:
    """The full name of the message that a rendered filter holds."""
    return rendered.typed_config.type_url.rpartition("/")[2] if rendered.typed_config else ""


def _filter_order(view: View, _: Expected) -> Iterator[Spot]:
    for chain, processor in view.processed:
        for name, before in ((RESPONSE_GUARD, True), (STRIP, True), (REQUEST_GUARD, False)):
            named = chain.named(name)
            if named and (named[0] < processor.position) is not before:
                yield Spot(named[1].node.path, f"{name} must stand {'before' if before else 'behind'} ext_proc")
        for each in behind(chain, processor.position):
            if not AUTHENTICATION.isdisjoint(each.kinds):
                yield Spot(each.node.path, f"{shown(each.name)} must stand before ext_proc")
            if DECOMPRESSOR in each.kinds:
                yield Spot(each.node.path, f"{shown(each.name)} must not stand behind ext_proc: responses hang")


def behind(chain: HttpChain, position: int) -> Iterator[Filter]:
    """The filters of others between ours and the upstream."""
    return (each for each in chain.filters[position + 1 :] if each.name not in OURS)


def _filter_name(view: View, _: Expected) -> Iterator[Spot]:
    for chain, processor in view.processed:
        if processor.filter.name != FILTER_NAME:
            saying = f"is {shown(processor.filter.name)}, must be {FILTER_NAME}"
            yield Spot(processor.filter.node.path_to("name"), saying)
        for position, each in enumerate(chain.filters):
            if each.name in OURS and (first := chain.named(each.name)) and first[0] < position:
                yield Spot(each.node.path_to("name"), f"{each.name} is there twice")


def _verdict_forgeable(view: View, _: Expected) -> Iterator[Spot]:
    for chain, _processor in view.processed:
        asking = {ours.filter.node.path for ours in chain.processors}
        for each in chain.filters:
            if each.name not in OURS and each.node.path not in asking:
                yield from _forged(each.name, each.config)
        for route_config in chain.routes:
            for node in route_config.down():
                for name, entry in node.entries("typed_per_filter_config"):
                    if name not in OURS:  # those are told of already
                        yield from _forged(name, entry)


def _forged(name: str, config: Node) -> Iterator[Spot]:
    for place in _writes_our_namespace(config):
        yield Spot(place.path, f"{shown(name)} may write the metadata that the guards trust")


def _writes_our_namespace(config: Node) -> Iterator[Node]:
    """set_metadata, header_to_metadata and json_to_metadata name the namespace so; ext_proc has several."""
    for node in config.down():
        if node.text("metadata_namespace") == NAMESPACE:
            yield Node(node.path_to("metadata_namespace"), None)
        receiving = node.field("receiving_namespaces")
        untyped = list(receiving.each("untyped")) if receiving else []
        yield from (name for name in untyped if name.value == NAMESPACE)


CHECKS = (
    Check(
        "request_guard_missing",
        Severity.ERROR,
        "A route-level override, failure_mode_allow or a stream that ends early lets a request pass without a verdict.",
        "Put the rendered RBAC filter behind ext_proc.",
        _request_guard,
    ),
    Check(
        "response_guard_missing",
        Severity.ERROR,
        "A stream that ends early lets a response pass without a verdict.",
        "Put the rendered Lua filter before ext_proc, or set policy.points.response: null.",
        _response_guard,
    ),
    Check(
        "client_headers_kept",
        Severity.ERROR,
        "A client can send headers that read like the server's own.",
        "Put the rendered header mutation filter before ext_proc.",
        _client_headers,
    ),
    Check(
        "guard_altered",
        Severity.ERROR,
        "A guard with other rules guards something else, or nothing.",
        "Render the filters again from this configuration.",
        _guard_altered,
    ),
    Check(
        "filter_order",
        Severity.ERROR,
        "Requests pass the filters downwards and responses upwards: at this place a filter guards nothing, comes too "
        "late for the policy, or blocks the response.",
        "Order: authentication, response guard, removal of client headers, ext_proc, request guard, router.",
        _filter_order,
    ),
    Check(
        "filter_name",
        Severity.ERROR,
        f"Per-route configuration goes by the filter's name: {ISTIOS_KEY} is overridden by Istio's InferencePool "
        "routes, and of two filters with one name both are.",
        f"Name the filter {FILTER_NAME}, and apply one EnvoyFilter.",
        _filter_name,
    ),
    Check(
        "verdict_forgeable",
        Severity.ERROR,
        "Whoever writes this metadata namespace can write the verdict.",
        f"Let no filter but {FILTER_NAME} write the namespace {NAMESPACE}.",
        _verdict_forgeable,
    ),
)
