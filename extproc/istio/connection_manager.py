"""The HTTP connection manager: what a request may look like before any filter sees it, and the one route."""

from datetime import timedelta

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.config.core.v3 import (
    GrpcService,
    GrpcServiceEnvoyGrpc,
    SubstitutionFormatString,
)
from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerServerHeaderTransformation,
    HttpConnectionManagerTracing,
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
    RequestIdExtension,
)
from envoy_data_plane.envoy.extensions.request_id.uuid.v3 import UuidRequestIdConfig
from envoy_data_plane.envoy.type.v3 import Percent
from envoy_data_plane.google.protobuf import Any, Struct

from extproc.istio.clusters import OTLP, UPSTREAM
from extproc.istio.gateway import Gateway
from extproc.istio.hardening import hardening, our_filters

NAME = "gateway"

# The longest an upstream may take; the messages to the processor come on top, so that a slow verdict is not its fault.
UPSTREAM_TIMEOUT = timedelta(seconds=30)
MESSAGES_BEFORE_THE_UPSTREAM = 3


def connection_manager(gateway: Gateway) -> HttpConnectionManager:
    """Finite time-outs, one spelling of each path, and the filters in the order that the guards need."""
    manager = hardening(idle_timeout=timedelta(minutes=5))
    manager.stat_prefix = NAME
    manager.route_config = _routes(gateway)
    manager.http_filters = http_filters(gateway)
    manager.tracing = _tracing() if gateway.otlp else None
    manager.server_name = NAME
    manager.server_header_transformation = HttpConnectionManagerServerHeaderTransformation.OVERWRITE
    manager.access_log = [_access_log(gateway.access_log, gateway.prefix)] if gateway.access_log else []
    manager.use_remote_address = True
    manager.generate_request_id = True
    request_id = UuidRequestIdConfig(pack_trace_reason=False)
    manager.request_id_extension = RequestIdExtension(typed_config=Any.pack(request_id))
    # Known to Envoy, so that the decision about an upgrade is the policy's and has a receipt.
    manager.upgrade_configs = [HttpConnectionManagerUpgradeConfig(upgrade_type="websocket")]
    return manager


def http_filters(gateway: Gateway) -> list[HttpFilter]:
    """Our filters, and the router."""
    router = HttpFilter(name="envoy.filters.http.router", typed_config=Any.pack(Router()))
    return [*our_filters(gateway), router]


def _routes(gateway: Gateway) -> RouteConfiguration:
    waiting = timedelta(milliseconds=gateway.message_timeout_ms) * MESSAGES_BEFORE_THE_UPSTREAM
    action = RouteAction(cluster=UPSTREAM, timeout=UPSTREAM_TIMEOUT + waiting)
    route = Route(name=UPSTREAM, match=RouteMatch(prefix="/"), route=action)
    return RouteConfiguration(
        name=NAME, virtual_hosts=[VirtualHost(name=UPSTREAM, domains=["*"], routes=[route])], validate_clusters=True
    )


def _tracing() -> HttpConnectionManagerTracing:
    """Every exchange is a span of service `gateway`; the calls to the processor and to the upstream are spans below it.

    Each call carries the `traceparent` of its span, so that a refused request shows no span of the upstream.
    """
    config = OpenTelemetryConfig(
        grpc_service=GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=OTLP), timeout=timedelta(seconds=1)),
        service_name=NAME,
    )
    return HttpConnectionManagerTracing(
        random_sampling=Percent(value=100),
        spawn_upstream_span=True,
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=Any.pack(config)),
    )


def _access_log(path: str, prefix: str) -> AccessLog:
    """What joins a line to its receipts, and no header that could hold a secret."""
    fields = {
        "start_time": "%START_TIME%",
        "request_id": "%STREAM_ID%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "response_code": "%RESPONSE_CODE%",
        "response_code_details": "%RESPONSE_CODE_DETAILS%",
        "response_flags": "%RESPONSE_FLAGS%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "duration_ms": "%DURATION%",
        "request_receipt_id": f"%REQ({prefix}receipt-id)%",
        "response_receipt_id": f"%RESP({prefix}receipt-id)%",
    }
    log_format = SubstitutionFormatString(json_format=Struct.from_dict(fields))
    config = FileAccessLog(path=path, log_format=log_format)
    return AccessLog(name="envoy.access_loggers.file", typed_config=Any.pack(config))
