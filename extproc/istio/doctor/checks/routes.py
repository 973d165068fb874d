"""Routes: time-outs cut exchanges short, and what the dump does not hold may be anything."""

from collections.abc import Iterator
from datetime import timedelta

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import shown
from extproc.istio.doctor.view import HttpChain, View


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
