"""The dump itself, and the process behind it."""

from collections.abc import Iterator

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.view import View

GRACEFUL = "envoy.reloadable_features.ext_proc_graceful_grpc_close"


def _unreadable(view: View, _: Expected) -> Iterator[Spot]:
    for path in view.unreadable:
        yield Spot(path, "holds a value that is not of its type")


def _unknown_field(view: View, _: Expected) -> Iterator[Spot]:
    for path in view.unknown:
        yield Spot(path, "is no field that extproc knows")


def _section_missing(view: View, _: Expected) -> Iterator[Spot]:
    for name in ("Bootstrap", "Clusters", "Routes"):
        if not view.dump.section(name):
            yield Spot(".configs", f"holds no envoy.admin.v3.{name}ConfigDump")


def _graceful_close(view: View, _: Expected) -> Iterator[Spot]:
    for section in view.dump.section("Bootstrap"):
        bootstrap = section.field("bootstrap")
        runtime = bootstrap.field("layered_runtime") if bootstrap else None
        layers = [layer.field("static_layer") for layer in runtime.each("layers")] if runtime else []
        values = [layer.members[GRACEFUL] for layer in layers if layer is not None and GRACEFUL in layer.members]
        if not values or values[-1] not in (True, "true"):
            path = bootstrap.path if bootstrap else section.path
            yield Spot(f"{path}.layered_runtime", f"does not set {GRACEFUL}")


CHECKS = (
    Check(
        "unreadable",
        Severity.ERROR,
        "What cannot be read was not checked.",
        "Take the dump anew, unedited; if it stays so, the gateway is newer than this extproc.",
        _unreadable,
    ),
    Check(
        "unknown_field",
        Severity.WARNING,
        "Misspelt, or newer than this extproc: the checks do not know what it does.",
        "Compare it with Envoy's reference; upgrade extproc with the gateway.",
        _unknown_field,
    ),
    Check(
        "section_missing",
        Severity.WARNING,
        "The checks of that section did not run.",
        "Take a whole dump, from /config_dump without a filter.",
        _section_missing,
    ),
    Check(
        "graceful_close",
        Severity.WARNING,
        "Envoy resets every stream to the server, which keeps about a hundred bytes of each.",
        f"Set {GRACEFUL}: true in the bootstrap's layered runtime; in Istio with proxy.istio.io/config runtimeValues.",
        _graceful_close,
    ),
)
