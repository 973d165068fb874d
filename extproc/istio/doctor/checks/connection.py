"""The listener and the connection manager: how much is buffered, how long, and what a request line may hold."""

from collections.abc import Iterator
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptionsHeadersWithUnderscoresAction as Underscores
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManagerPathWithEscapedSlashesAction as Slashes,
)

from extproc.istio.doctor.finding import Check, Expected, Severity, Spot
from extproc.istio.doctor.view import HttpChain, SeenListener, View
from extproc.istio.hardening import MOST_STREAMS

DEFAULT_BUFFER_BYTES = 1 << 20
"""Listener.per_connection_buffer_limit_bytes, where it is absent."""

RECEIVE_MARGIN_BYTES = 1 << 20
"""The server takes gRPC messages of the rendered buffer and this much more."""


def _buffer_limit(view: View, expected: Expected) -> Iterator[Spot]:
    wanted = expected.gateway.buffer_bytes
    for path, found in _buffers(view):
        if found < wanted:
            yield Spot(path, f"is {found}, must be {wanted}")


def _buffer_beyond_server(view: View, expected: Expected) -> Iterator[Spot]:
    wanted = expected.gateway.buffer_bytes
    for path, found in _buffers(view):
        if found > wanted + RECEIVE_MARGIN_BYTES:
            yield Spot(path, f"is {found}, must be {wanted}")


def _buffers(view: View) -> Iterator[tuple[str, int]]:
    """The buffer limit of each listener that asks us, with its path."""
    for listener in _listeners(view):
        if listener.config is not None:
            found = listener.config.per_connection_buffer_limit_bytes
            path = listener.node.path_to("per_connection_buffer_limit_bytes")
            yield path, DEFAULT_BUFFER_BYTES if found is None else found


def _listeners(view: View) -> tuple[SeenListener, ...]:
    return tuple({chain.listener.node.path: chain.listener for chain, _ in view.processed}.values())


def _managers(view: View) -> tuple[HttpChain, ...]:
    """The chains that ask us, without those of upgrades: their manager is the same."""
    chains = {chain.node.path: chain for chain, _ in view.processed}
    return tuple(chain for chain in chains.values() if chain.node.type_name)


def _expect_continue(view: View, _: Expected) -> Iterator[Spot]:
    for chain in _managers(view):
        if chain.manager.proxy_100_continue:
            yield Spot(chain.node.path_to("proxy_100_continue"), "is true")


def _timeouts(view: View, _: Expected) -> Iterator[Spot]:
    for chain in _managers(view):
        manager = chain.manager
        for field, found in (
            ("request_timeout", manager.request_timeout or timedelta()),
            ("request_headers_timeout", manager.request_headers_timeout or timedelta()),
            (
                "stream_idle_timeout",
                timedelta(minutes=5) if manager.stream_idle_timeout is None else manager.stream_idle_timeout,
            ),
        ):
            if not found:
                yield Spot(chain.node.path_to(field), "is off")


def _client_streams(view: View, _: Expected) -> Iterator[Spot]:
    for chain in _managers(view):
        options = chain.manager.http2_protocol_options
        found = options.max_concurrent_streams if options else None
        if found is None or found > MOST_STREAMS:
            path = f"{chain.node.path_to('http2_protocol_options')}.max_concurrent_streams"
            yield Spot(path, f"is {'absent' if found is None else found}, must be {MOST_STREAMS} at most")


def _open_redirect(view: View, _: Expected) -> Iterator[Spot]:
    for chain in _managers(view):
        if _redirects_anywhere(chain.manager):
            yield Spot(chain.node.path_to("merge_slashes"), "is false beside UNESCAPE_AND_REDIRECT")


def _redirects_anywhere(manager: HttpConnectionManager) -> bool:
    return manager.path_with_escaped_slashes_action is Slashes.UNESCAPE_AND_REDIRECT and not manager.merge_slashes


def _request_line(view: View, _: Expected) -> Iterator[Spot]:
    for chain in _managers(view):
        manager = chain.manager
        if manager.normalize_path is False:
            yield Spot(chain.node.path_to("normalize_path"), "is false")
        if not manager.merge_slashes and not _redirects_anywhere(manager):
            yield Spot(chain.node.path_to("merge_slashes"), "is false")
        if manager.path_with_escaped_slashes_action in (
            Slashes.IMPLEMENTATION_SPECIFIC_DEFAULT,
            Slashes.KEEP_UNCHANGED,
        ):
            yield Spot(chain.node.path_to("path_with_escaped_slashes_action"), "keeps %2F and %5C")
        common = manager.common_http_protocol_options
        if common is None or common.headers_with_underscores_action is Underscores.ALLOW:
            path = chain.node.path_to("common_http_protocol_options")
            yield Spot(f"{path}.headers_with_underscores_action", "is ALLOW")


CHECKS = (
    Check(
        "buffer_limit",
        Severity.ERROR,
        "Envoy refuses bodies that the server would inspect: 413 for a request, 500 for a response.",
        "Set per_connection_buffer_limit_bytes to the larger of the two body limits + 64 KiB.",
        _buffer_limit,
    ),
    Check(
        "buffer_beyond_server",
        Severity.WARNING,
        "Envoy sends bodies that the server's gRPC does not take: they are refused with a 5xx in place of a 413.",
        "Set per_connection_buffer_limit_bytes to the larger of the two body limits + 64 KiB.",
        _buffer_beyond_server,
    ),
    Check(
        "expect_continue",
        Severity.WARNING,
        "A client that waits for `100 Continue` waits for ever: Envoy waits for its body.",
        "Set proxy_100_continue: false; in Istio ENABLE_100_CONTINUE_HEADERS=false at istiod.",
        _expect_continue,
    ),
    Check(
        "timeouts",
        Severity.WARNING,
        "A slow client holds a buffer and a stream for ever.",
        "Set request_timeout, request_headers_timeout and stream_idle_timeout.",
        _timeouts,
    ),
    Check(
        "client_streams",
        Severity.WARNING,
        "A few connections of one client take all places that the server has for exchanges.",
        "Set http2_protocol_options.max_concurrent_streams as rendered.",
        _client_streams,
    ),
    Check(
        "open_redirect",
        Severity.ERROR,
        "`/%5Cother.test` is redirected to `//other.test`, which is another host.",
        "Set merge_slashes: true.",
        _open_redirect,
    ),
    Check(
        "request_line",
        Severity.WARNING,
        "Upstreams read one path or header in several spellings, and a rule names one of them.",
        "Set normalize_path, merge_slashes, path_with_escaped_slashes_action and headers_with_underscores_action as "
        "rendered.",
        _request_line,
    ),
)
