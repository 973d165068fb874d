"""Traffic that never meets the processor."""

from collections.abc import Iterator

from extproc.istio.doctor.checks.guards import REQUEST_GUARD
from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import shown
from extproc.istio.doctor.view import View

_UPDATED = (
    ("listener", "Listeners", "dynamic_listeners"),
    ("cluster", "Clusters", "dynamic_active_clusters", "dynamic_warming_clusters"),
    ("route configuration", "Routes", "dynamic_route_configs"),
)


def _not_attached(view: View, _: Expected) -> Iterator[Spot]:
    if not any(view.processed):
        guarded = any(chain.named(REQUEST_GUARD) for chain in view.chains)
        and_so = f"; {REQUEST_GUARD} is there and refuses everything" if guarded else ""
        saying = f"none of {len(view.chains)} HTTP filter chains asks extproc{and_so}"
        yield Spot(view.dump.section("Listeners")[0].path, saying)


def _unfiltered(view: View, _: Expected) -> Iterator[Spot]:
    if not any(view.processed):
        return  # said once, for all of them
    for chain in view.chains:
        if chain.forwards and not chain.processors:
            yield Spot(chain.node.path, f"listener {shown(chain.listener.name)} forwards here without asking extproc")


def _tcp_passthrough(view: View, _: Expected) -> Iterator[Spot]:
    for chain in view.opaque:
        names = ", ".join(shown(each.text("name")) for each in chain.each("filters"))
        yield Spot(chain.path, f"no HTTP connection manager, only: {names or 'no filter'}")


def _update_rejected(view: View, _: Expected) -> Iterator[Spot]:
    seen = set()
    for kind, section, *fields in _UPDATED:
        for node in view.dump.each(section, *fields):
            error = node.field("error_state")
            failed = error.field("failed_configuration") if error else None
            name = node.text("name") or (failed.text("name") if failed else "")
            # Envoy has a refused listener twice, under its name and without one.
            if error and (kind, name) not in seen:
                seen.add((kind, name))
                yield Spot(error.path, f"Envoy refused the last update of {kind} {shown(name)}")


def _filter_disabled(view: View, _: Expected) -> Iterator[Spot]:
    for chain, _processor in view.processed:
        for each in chain.filters:
            disabled = each.node.field("disabled")
            if disabled is not None and disabled.value is True and each.name.startswith("extproc."):
                yield Spot(disabled.path, f"{shown(each.name)} is off unless a route turns it on")


_BLOCKS_NOTHING = {
    "shadow": "is shadow: everything is decided and recorded, and nothing is blocked",
    "off": "is off: nothing is decided, and nothing is blocked",
}


def _unenforced(_: View, expected: Expected) -> Iterator[Spot]:
    """The one place that is in no dump: the gateway of such a server looks like any that may leave a body out."""
    if saying := _BLOCKS_NOTHING.get(expected.gateway.mode):
        yield Spot("policy.mode", saying)


CHECKS = (
    Check(
        "not_attached",
        Severity.ERROR,
        "Every request passes uninspected, unless a guard is left: an EnvoyFilter with a wrong label, namespace or "
        "target attaches to nothing, one with a wrong value loses that patch, and nobody says so.",
        "Compare the EnvoyFilter's workloadSelector or targetRefs with the gateway's labels; look at istiod's log.",
        _not_attached,
    ),
    Check(
        "unfiltered",
        Severity.ERROR,
        "What comes in here reaches an upstream uninspected.",
        "Widen the match of the EnvoyFilter's patches to this listener and filter chain.",
        _unfiltered,
    ),
    Check(
        "tcp_passthrough",
        Severity.ERROR,
        "Bytes are forwarded as they come (TLS passthrough, TCP): there is no exchange that could be inspected.",
        "End TLS at the gateway, or move this port or host to a gateway that is not meant to inspect.",
        _tcp_passthrough,
    ),
    Check(
        "update_rejected",
        Severity.ERROR,
        "The old configuration stays in force, or none: what was applied last is not what runs.",
        "Read the field `details` beside it, correct what was applied, and look at pilot_total_xds_rejects.",
        _update_rejected,
    ),
    Check(
        "filter_disabled",
        Severity.ERROR,
        "A filter that is off in the chain inspects nothing, or guards nothing.",
        "Remove `disabled`; exclude a single route on ext_proc and on the request guard instead.",
        _filter_disabled,
    ),
    Check(
        "unenforced",
        Severity.NOTE,
        "It is the configuration's word, and the running server's may be another: --probe asks the server.",
        "Set policy.mode: enforce when the trial is over, the server first and then the gateway.",
        _unenforced,
    ),
)
