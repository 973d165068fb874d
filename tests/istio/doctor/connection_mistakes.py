"""What operators get wrong in the listener and the connection manager."""

from istio.doctor.mutating import Mistake, listening, managing

BUFFER = "per_connection_buffer_limit_bytes"
STREAMS = ("http2_protocol_options", "max_concurrent_streams")

CONNECTION_MISTAKES = {
    "a small buffer": Mistake("buffer_limit", f".{BUFFER}", listening(BUFFER, to=(1 << 20) + (64 << 10) - 1)),
    "the buffer by default": Mistake("buffer_limit", f".{BUFFER}", listening(BUFFER, to=None)),
    "a large buffer": Mistake("buffer_beyond_server", f".{BUFFER}", listening(BUFFER, to=4 << 20)),
    "100-continue": Mistake("expect_continue", ".proxy_100_continue", managing("proxy_100_continue", to=True)),
    "no request time-out": Mistake("timeouts", ".request_timeout", managing("request_timeout", to=None)),
    "no idle time-out": Mistake("timeouts", ".stream_idle_timeout", managing("stream_idle_timeout", to="0s")),
    "more requests of a connection": Mistake(
        "client_streams", f".{STREAMS[0]}.{STREAMS[1]}", managing(*STREAMS, to=101)
    ),
    "any number of requests of a connection": Mistake(
        "client_streams", f".{STREAMS[0]}.{STREAMS[1]}", managing(STREAMS[0], to=None)
    ),
    "a redirect to any host": Mistake("open_redirect", ".merge_slashes", managing("merge_slashes", to=None)),
    "escaped slashes": Mistake(
        "request_line",
        ".path_with_escaped_slashes_action",
        managing("path_with_escaped_slashes_action", to="KEEP_UNCHANGED"),
    ),
    "underscores": Mistake(
        "request_line",
        ".headers_with_underscores_action",
        managing("common_http_protocol_options", "headers_with_underscores_action", to=None),
    ),
    "dot segments": Mistake("request_line", ".normalize_path", managing("normalize_path", to=False)),
}
