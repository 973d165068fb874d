"""What every gateway gets, be it ours or Istio's: what a request may look like, and our filters in their order."""

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    GrpcService,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpFilter,
)

from extproc.istio.gateway import FilterSettings
from extproc.istio.guards import request_guard, response_guard, strip_client_headers
from extproc.istio.processor import LOCAL, processor

MOST_STREAMS = 100
"""HTTP/2 requests of one client connection at a time (RFC 9113 section 6.5.2 advises no fewer)."""


def hardening(idle_timeout: timedelta | None = None) -> HttpConnectionManager:
    """Finite time-outs and one spelling of each path, to be completed by, or merged into, the gateway's own.

    `idle_timeout` is that of a connection without a request; None leaves the gateway's own, which has to be longer
    than that of a load balancer in front of it.
    """
    return HttpConnectionManager(
        common_http_protocol_options=HttpProtocolOptions(
            idle_timeout=idle_timeout,
            headers_with_underscores_action=HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        # HTTP/1.1 trailers are dropped unless asked for; the policy decides about them like about the rest.
        http_protocol_options=Http1ProtocolOptions(enable_trailers=True),
        # As Envoy advises for an edge: a few connections must not take all places of a worker.
        http2_protocol_options=Http2ProtocolOptions(max_concurrent_streams=MOST_STREAMS),
        stream_idle_timeout=timedelta(minutes=5),
        request_timeout=timedelta(seconds=60),
        request_headers_timeout=timedelta(seconds=15),
        # Dot segments, backslashes and needless escapes go (RFC 3986 section 6.2.2): a rule has one path to name.
        normalize_path=True,
        merge_slashes=True,  # without it `/%5Chost` would be redirected to `//host`, which browsers take for a host
        # A client learns the one spelling and asks again under it; nothing of this request reaches policy or upstream.
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
    )


def our_filters(settings: FilterSettings, service: GrpcService = LOCAL) -> list[HttpFilter]:
    """Requests pass downwards, responses upwards: each guard stands behind the processor in its direction.

    Raises ConfigurationError for a value that Envoy cannot hold.
    """
    guards = [response_guard()] if settings.response_point else []
    return [*guards, strip_client_headers(settings.prefix), processor(settings, service), request_guard()]
