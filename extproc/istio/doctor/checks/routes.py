"""Routes: per-route configuration turns filters off, and time-outs cut exchanges short."""

from collections.abc import Iterator
from datetime import timedelta

from extproc.istio.doctor.checks.guards import OURS, REQUEST_GUARD
from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import Node, shown
from extproc.istio.doctor.view import HttpChain, View
from extproc.istio.processor import FILTER_NAME

_RBAC_PER_ROUTE = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"


def _scopes(view: View) -> Iterator[dict[str, Node]]:
    """What each route configuration, host, route or weighted cluster says about our filters, once each."""
    seen = set()
    for chain, _ in view.processed:
        for route_config in chain.routes:
            if route_config.path not in seen:
                seen.add(route_config.path)
                yield from filter(None, map(_ours, route_config.down()))


def _ours(node: Node) -> dict[str, Node]:
    return {name: entry for name, entry in node.entries("typed_per_filter_config") if name in OURS}


def _off(name: str, entry: Node) -> bool:
    """Whether an entry turns its filter off."""
    disabled = entry.field("disabled")
    if disabled is not None and disabled.value is True:
        return True
    return name == REQUEST_GUARD and entry.type_name == _RBAC_PER_ROUTE and entry.field("rbac") is None


def _both_off(scope: dict[str, Node]) -> bool:
    return all(name in scope and _off(name, scope[name]) for name in (FILTER_NAME, REQUEST_GUARD))


def _route_excluded(view: View, _: Expected) -> Iterator[Spot]:
    for scope in _scopes(view):
        if _both_off(scope):
            yield Spot(scope[FILTER_NAME].path, "ext_proc and the request guard are off here")


def _route_half_excluded(view: View, _: Expected) -> Iterator[Spot]:
    for scope in _scopes(view):
        for name in (FILTER_NAME, REQUEST_GUARD):
            if name in scope and _off(name, scope[name]) and not _both_off(scope):
                other = REQUEST_GUARD if name == FILTER_NAME else FILTER_NAME
                yield Spot(scope[name].path, f"{name} is off here, and {other} is not")


def _route_override(view: View, _: Expected) -> Iterator[Spot]:
    for scope in _scopes(view):
        for name, entry in scope.items():
            if name not in (FILTER_NAME, REQUEST_GUARD) or not _off(name, entry):
                yield Spot(entry.path, f"{name} is configured anew here")


def _route_timeout(view: View, expected: Expected) -> Iterator[Spot]:
    least_ms = expected.gateway.message_timeout_ms
    for path, timeout in _timeouts(view):
        found_ms = timeout // timedelta(milliseconds=1)
        if 0 < found_ms <= least_ms:
            yield Spot(path, f"is {found_ms} ms, must exceed {least_ms} ms")


def _timeouts(view: View) -> Iterator[tuple[str, timedelta]]:
    chains = {route.path: route for chain, _ in view.processed for route in chain.routes}
    for route_config in chains.values():
        for host in route_config.each("virtual_hosts"):
            for route in host.each("routes"):
                action = route.field("route")
                if action and (timeout := action.field("timeout")) and isinstance(timeout.value, str):
                    yield timeout.path, _duration(timeout.value)


def _duration(text: str) -> timedelta:
    """Protojson's form, seconds with `s` behind them; zero for what is none."""
    try:
        return timedelta(seconds=float(text.removesuffix("s")))
    except (ValueError, OverflowError):
        return timedelta()


def _routes_unseen(view: View, _: Expected) -> Iterator[Spot]:
    chains: dict[str, HttpChain] = {chain.node.path: chain for chain, _ in view.processed}
    for chain in chains.values():
        if chain.unseen is not None:
            yield Spot(chain.node.path_to("rds"), f"names {shown(chain.unseen)}, which the dump does not hold")


CHECKS = (
    Check(
        "route_excluded",
        Severity.WARNING,
        "Requests of this route pass uninspected, on purpose as it seems: both filters are off.",
        "Remove both entries, or accept it by name with --accept.",
        _route_excluded,
    ),
    Check(
        "route_half_excluded",
        Severity.ERROR,
        "With ext_proc off alone every request of this route is refused; with the guard off alone one may pass without "
        "a verdict.",
        "Turn both off, or neither.",
        _route_half_excluded,
    ),
    Check(
        "route_override",
        Severity.ERROR,
        "On this route the filter is not the one that the checks above have seen.",
        "Remove the entry.",
        _route_override,
    ),
    Check(
        "route_timeout",
        Severity.WARNING,
        "Envoy's 504 comes before the server's answer.",
        "Make the route's timeout longer than envoy.message_timeout_ms, or 0s.",
        _route_timeout,
    ),
    Check(
        "routes_unseen",
        Severity.WARNING,
        "A route that is not in the dump may turn filters off.",
        "Take the dump from a gateway that has all its routes; scoped routes cannot be checked.",
        _routes_unseen,
    ),
)
