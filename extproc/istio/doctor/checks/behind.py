"""What stands between the policy and the upstream: filters behind ours, of the router's, of the upstream's cluster."""

from collections.abc import Iterator

from extproc.istio.doctor.checks.guards import AUTHENTICATION, DECOMPRESSOR, behind
from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.http_filter import WITH_MATCHER, filter_at
from extproc.istio.doctor.node import Node, shown
from extproc.istio.doctor.view import PROTOCOL, View

_HTTP = "envoy.extensions.filters.http"
_HARMLESS = frozenset(
    {
        *(f"{_HTTP}.{name}" for name in ("router.v3.Router", "upstream_codec.v3.UpstreamCodec", "fault.v3.HTTPFault")),
        *(f"{_HTTP}.{name}" for name in ("cors.v3.Cors", "buffer.v3.Buffer", "grpc_stats.v3.FilterConfig")),
        *(f"{_HTTP}.{name}" for name in ("local_ratelimit.v3.LocalRateLimit", "ratelimit.v3.RateLimit")),
        *("stats.PluginConfig", "io.istio.http.peer_metadata.Config"),
        "istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig",
    }
)
"""They count, wait, answer themselves or say who is there: what the policy has seen is what the upstream gets."""

_SAID = AUTHENTICATION | {DECOMPRESSOR, WITH_MATCHER}  # the first two by `filter_order`


def _changed_behind(view: View, _: Expected) -> Iterator[Spot]:
    for chain, ours in view.processed:
        for each in behind(chain, ours.position):
            if not each.kinds <= _HARMLESS | _SAID:
                yield Spot(each.node.path, f"{shown(each.name)} stands behind ext_proc")
        for each in chain.filters:
            yield from _upstream(each.config, "upstream_http_filters")
    if any(view.processed):
        for place in _protocols(view):
            yield from _upstream(place, "http_filters")


def _protocols(view: View) -> Iterator[Node]:
    """The HTTP options of each cluster: a gateway has no other than those that it may forward to."""
    for node in view.dump.each("Clusters", "static_clusters", "dynamic_active_clusters"):
        if cluster := node.field("cluster"):
            yield from (place for key, place in cluster.entries("typed_extension_protocol_options") if key == PROTOCOL)


def _upstream(place: Node, field: str) -> Iterator[Spot]:
    for node in place.each(field):
        each = filter_at(node)
        if not each.kinds <= _HARMLESS | {WITH_MATCHER}:
            yield Spot(node.path, f"{shown(each.name)} stands between the router and the upstream")


CHECKS = (
    Check(
        "changed_behind",
        Severity.WARNING,
        "A filter behind ext_proc can change what the policy has seen, before the upstream sees it.",
        "Move it before ext_proc.",
        _changed_behind,
    ),
)
