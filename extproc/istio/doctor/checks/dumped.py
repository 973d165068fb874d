"""The dump itself, and the process behind it."""

from collections.abc import Iterator

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.node import Node
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


def _fields_dropped(view: View, _: Expected) -> Iterator[Spot]:
    if count := view.process.unknown_fields:
        yield Spot("/stats", f"server.static_unknown_fields and server.dynamic_unknown_fields are {count} together")


def _graceful_close(view: View, _: Expected) -> Iterator[Spot]:
    if view.process.runtime is not None:
        if view.process.runtime.get(GRACEFUL) != "true":
            yield Spot("/runtime", f"does not set {GRACEFUL}")
        return
    for section in view.dump.section("Bootstrap"):
        bootstrap = section.field("bootstrap") or section
        values = [layer.members[GRACEFUL] for layer in _static_layers(bootstrap) if GRACEFUL in layer.members]
        if not values or values[-1] not in (True, "true"):
            yield Spot(bootstrap.path_to("layered_runtime"), f"does not set {GRACEFUL}")


def _static_layers(bootstrap: Node) -> Iterator[Node]:
    """The later ones win."""
    runtime = bootstrap.field("layered_runtime")
    layers = runtime.each("layers") if runtime else ()
    return (static for layer in layers if (static := layer.field("static_layer")))


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
        "fields_dropped",
        Severity.WARNING,
        "Envoy was given fields that it does not know and dropped them: misspelt, or of another version.",
        "Envoy's log names them (`unknown fields`, at level warning or debug).",
        _fields_dropped,
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
