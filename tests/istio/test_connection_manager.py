from dataclasses import replace
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptionsHeadersWithUnderscoresAction
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManagerPathWithEscapedSlashesAction,
)

from extproc.istio.connection_manager import connection_manager, http_filters
from extproc.istio.gateway import Gateway, TcpAddress


def test_the_filters_stand_in_the_order_that_the_guards_need(gateway: Gateway) -> None:
    assert [each.name for each in http_filters(gateway)] == [
        "extproc.response_guard",
        "extproc.strip_client_headers",
        "extproc.policy",
        "extproc.request_guard",
        "envoy.filters.http.router",
    ]


def test_a_request_only_profile_has_no_response_guard(gateway: Gateway) -> None:
    names = [each.name for each in http_filters(replace(gateway, response_point=False))]

    assert "extproc.response_guard" not in names
    assert "extproc.request_guard" in names


def test_every_time_out_is_finite(gateway: Gateway) -> None:
    manager = connection_manager(gateway)

    assert [manager.stream_idle_timeout, manager.request_timeout, manager.request_headers_timeout] == [
        timedelta(seconds=300),
        timedelta(seconds=60),
        timedelta(seconds=15),
    ]


def test_one_connection_has_few_requests_at_a_time(gateway: Gateway) -> None:
    options = connection_manager(gateway).http2_protocol_options

    assert options is not None
    assert options.max_concurrent_streams == 100


def test_the_route_waits_longer_than_all_messages_to_the_processor(gateway: Gateway) -> None:
    manager = connection_manager(replace(gateway, message_timeout_ms=20_000))

    assert manager.route_config is not None
    route = manager.route_config.virtual_hosts[0].routes[0].route
    assert route is not None
    assert route.timeout == timedelta(seconds=90)


def test_a_path_has_one_spelling_and_headers_no_underscores(gateway: Gateway) -> None:
    manager = connection_manager(gateway)

    assert manager.merge_slashes
    assert manager.normalize_path
    assert (
        manager.path_with_escaped_slashes_action
        is HttpConnectionManagerPathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT
    )
    assert manager.common_http_protocol_options is not None
    assert (
        manager.common_http_protocol_options.headers_with_underscores_action
        is HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST
    )


def test_tracing_is_absent_without_a_receiver(gateway: Gateway) -> None:
    assert connection_manager(gateway).tracing is None


def test_tracing_samples_everything_under_the_gateways_name(gateway: Gateway) -> None:
    tracing = connection_manager(replace(gateway, otlp=TcpAddress("127.0.0.1", 4317))).tracing

    assert tracing is not None
    assert tracing.random_sampling is not None
    assert tracing.random_sampling.value == 100
    assert tracing.spawn_upstream_span
    assert tracing.provider is not None
    assert tracing.provider.typed_config is not None
    config = tracing.provider.typed_config.unpack()
    assert isinstance(config, OpenTelemetryConfig)
    assert config.service_name == "gateway"


def test_the_access_log_joins_a_line_to_its_receipts(gateway: Gateway) -> None:
    (log,) = connection_manager(replace(gateway, access_log="access.ndjson", prefix="x-gate-")).access_log

    assert log.typed_config is not None
    config = log.typed_config.unpack()
    assert isinstance(config, FileAccessLog)
    assert config.path == "access.ndjson"
    assert config.log_format is not None
    assert config.log_format.json_format is not None
    fields = config.log_format.json_format.to_dict()
    assert fields["request_receipt_id"] == "%REQ(x-gate-receipt-id)%"
    assert fields["response_receipt_id"] == "%RESP(x-gate-receipt-id)%"
