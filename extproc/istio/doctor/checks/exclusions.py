"""Per-route configuration: where our filters are turned off, on purpose or not, and where they are made anew."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from extproc.istio.doctor.checks.guards import OURS, REQUEST_GUARD
from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import Node, shown
from extproc.istio.doctor.view import View, forwards
from extproc.istio.processor import FILTER_NAME

_RBAC_PER_ROUTE = "envoy.extensions.filters.http.rbac.v3.RBACPerRoute"
_ROUTE = re.compile(r".*?\.(?:virtual_hosts|virtualHosts)\[\d+\]\.routes\[\d+\]")


@dataclass(frozen=True, slots=True)
class _Scope:
    """What one place in a route configuration says about our filters; `route` is the path of the route around it."""

    path: str
    entries: dict[str, Node]
    route: str | None

    @property
    def both_off(self) -> bool:
        """Whether nobody inspects here, and nobody refuses that."""
        return all(name in self.entries and _off(name, self.entries[name]) for name in (FILTER_NAME, REQUEST_GUARD))


@dataclass(frozen=True, slots=True)
class _Host:
    """A virtual host that forwards, and those of its routes that do."""

    node: Node
    routes: tuple[Node, ...]

    @property
    def reached(self) -> tuple[Node, ...]:
        """Up to the first that takes every request."""
        last = next((number for number, route in enumerate(self.routes) if _takes_all(route)), len(self.routes))
        return self.routes[: last + 1]

    def meant(self, route: Node, names: frozenset[str]) -> bool:
        """Whether a route is named, alone or with a domain of its host's."""
        name = route.text("name")
        domains = (each.value for each in self.node.each("domains"))
        return bool(name) and not names.isdisjoint((name, *(f"{domain}/{name}" for domain in domains)))


def _takes_all(route: Node) -> bool:
    match = route.field("match")
    asked = set() if match is None else match.members.keys() - {"case_sensitive", "caseSensitive"}
    return match is not None and asked == {"prefix"} and match.text("prefix") == "/"


def _route_configs(view: View) -> Iterator[Node]:
    return iter({each.path: each for chain, _ in view.processed for each in chain.routes}.values())


def _scopes(view: View) -> Iterator[_Scope]:
    """Of each route configuration, host, route or weighted cluster."""
    for route_config in _route_configs(view):
        for node in route_config.down():
            if entries := {name: entry for name, entry in node.entries("typed_per_filter_config") if name in OURS}:
                around = _ROUTE.match(f"{node.path}.")
                yield _Scope(node.path, entries, around[0] if around else None)


def _off(name: str, entry: Node) -> bool:
    """Whether an entry turns its filter off."""
    disabled = entry.field("disabled")
    if disabled is not None and disabled.value is True:
        return True
    return name == REQUEST_GUARD and entry.type_name == _RBAC_PER_ROUTE and entry.field("rbac") is None


def _hosts(view: View) -> Iterator[_Host]:
    for route_config in _route_configs(view):
        for host in route_config.each("virtual_hosts"):
            if routes := tuple(route for route in host.each("routes") if forwards(route)):
                yield _Host(host, routes)


def _whole(view: View, expected: Expected) -> Iterator[_Host]:
    """Hosts of which each route that is reached is off, as a patch without a name makes it, and not each is meant."""
    off = {scope.path for scope in _scopes(view) if scope.both_off}
    for host in _hosts(view):
        named = (host.meant(route, expected.excluded_routes) for route in host.reached)
        if all(route.path in off for route in host.reached) and not all(named):
            yield host


def _host_excluded(view: View, expected: Expected) -> Iterator[Spot]:
    for scope in _scopes(view):
        if scope.both_off and scope.route is None:
            yield Spot(scope.entries[FILTER_NAME].path, "ext_proc and the request guard are off for all below")
    for host in _whole(view, expected):
        yield Spot(host.node.path, f"ext_proc and the request guard are off on each route of {_named(host.node)}")


def _route_excluded(view: View, expected: Expected) -> Iterator[Spot]:
    whole = {route.path for host in _whole(view, expected) for route in host.routes}
    meant = _meant(view, expected)
    for scope in _scopes(view):
        if scope.both_off and scope.route and scope.route not in whole | meant.keys():
            yield Spot(scope.entries[FILTER_NAME].path, "ext_proc and the request guard are off here")


def _route_excluded_as_meant(view: View, expected: Expected) -> Iterator[Spot]:
    whole = {route.path for host in _whole(view, expected) for route in host.routes}
    meant = _meant(view, expected)
    for scope in _scopes(view):
        if scope.both_off and scope.route in meant and scope.route not in whole:
            yield Spot(scope.entries[FILTER_NAME].path, f"{_named(meant[scope.route])} is off here, as it was named")


def _meant(view: View, expected: Expected) -> dict[str | None, Node]:
    """The routes that are excluded by name, by path."""
    names = expected.excluded_routes
    return {route.path: route for host in _hosts(view) for route in host.routes if host.meant(route, names)}


def _named(place: Node) -> str:
    return shown(place.text("name")) or "no name"


def _route_half_excluded(view: View, _: Expected) -> Iterator[Spot]:
    for scope in _scopes(view):
        for name in (FILTER_NAME, REQUEST_GUARD):
            if name in scope.entries and _off(name, scope.entries[name]) and not scope.both_off:
                other = REQUEST_GUARD if name == FILTER_NAME else FILTER_NAME
                yield Spot(scope.entries[name].path, f"{name} is off here, and {other} is not")


def _route_override(view: View, _: Expected) -> Iterator[Spot]:
    for scope in _scopes(view):
        for name, entry in scope.entries.items():
            if name not in (FILTER_NAME, REQUEST_GUARD) or not _off(name, entry):
                yield Spot(entry.path, f"{name} is configured anew here")


CHECKS = (
    Check(
        "host_excluded",
        Severity.ERROR,
        "Everything that comes in here passes uninspected. A patch that names no route does this, and so does one that "
        "is merged into a host.",
        "Give the patch the match that `render` writes, a route's name. If each route is meant: --exclude-route for "
        "each of them.",
        _host_excluded,
    ),
    Check(
        "route_excluded",
        Severity.WARNING,
        "Requests of this route pass uninspected, on purpose as it seems: both filters are off.",
        "Remove both entries; or, if it is meant, name the route as for `render istio`: --exclude-route HOST/ROUTE.",
        _route_excluded,
    ),
    Check(
        "route_excluded_as_meant",
        Severity.NOTE,
        "Requests of this route pass uninspected. Whoever may write a route of this name has left inspection.",
        "Nothing; or HOST/ROUTE in place of a bare name.",
        _route_excluded_as_meant,
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
)
