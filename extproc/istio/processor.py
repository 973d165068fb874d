"""The ext_proc filter: every part of the exchange is sent, and nothing passes without an answer."""

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import GrpcService, GrpcServiceEnvoyGrpc
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import (
    ExternalProcessor,
    ExternalProcessorRouteCacheAction,
    MetadataOptions,
    MetadataOptionsMetadataNamespaces,
    ProcessingMode,
    ProcessingModeBodySendMode,
    ProcessingModeHeaderSendMode,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.protobuf import Any

from extproc.errors import ConfigurationError
from extproc.istio.gateway import NAMESPACE, FilterSettings
from extproc.istio.mutation_rules import mutation_rules

# Istio's InferencePool routes override the key `envoy.filters.http.ext_proc`; this name is ours alone.
FILTER_NAME = "extproc.policy"
CLUSTER_NAME = "extproc"

LOCAL = GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=CLUSTER_NAME))
"""The workers of this machine, as a cluster of Envoy's own configuration."""

REQUEST_ATTRIBUTES = (
    "request.id",
    "request.protocol",
    "request.time",
    "source.address",
    "source.port",
    "destination.address",
    "connection.mtls",
    "connection.uri_san_peer_certificate",
    "connection.requested_server_name",
    "xds.route_name",
    "xds.virtual_host_name",
    "xds.cluster_name",
)
RESPONSE_ATTRIBUTES = ("response.code", "response.code_details", "response.flags")

SEND = ProcessingModeHeaderSendMode.SEND
SKIP = ProcessingModeHeaderSendMode.SKIP
BUFFERED = ProcessingModeBodySendMode.BUFFERED
NONE = ProcessingModeBodySendMode.NONE


def processor(settings: FilterSettings, service: GrpcService = LOCAL) -> HttpFilter:
    """The filter that asks `service`.

    Raises ConfigurationError when Envoy has no such `status_on_error`.
    """
    config = ExternalProcessor(
        grpc_service=service,
        failure_mode_allow=False,
        status_on_error=HttpStatus(code=_status(settings.status_on_error)),
        message_timeout=timedelta(milliseconds=settings.message_timeout_ms),
        processing_mode=processing_mode(response_point=settings.response_point),
        allow_mode_override=settings.waivers,
        allowed_override_modes=[BODIES_WAIVED, REQUEST_BODY_WAIVED] if settings.waivers else [],
        route_cache_action=ExternalProcessorRouteCacheAction.RETAIN,
        mutation_rules=mutation_rules(settings),
        request_attributes=list(REQUEST_ATTRIBUTES),
        response_attributes=list(RESPONSE_ATTRIBUTES),
        metadata_options=MetadataOptions(
            forwarding_namespaces=MetadataOptionsMetadataNamespaces(untyped=["envoy.filters.http.jwt_authn"]),
            receiving_namespaces=MetadataOptionsMetadataNamespaces(untyped=[NAMESPACE]),
        ),
        stat_prefix=NAMESPACE,
    )
    return HttpFilter(name=FILTER_NAME, typed_config=Any.pack(config))


def processing_mode(*, response_point: bool) -> ProcessingMode:
    """All six parts; without a response point the response's headers only, which carry the request's receipt."""
    return ProcessingMode(
        request_header_mode=SEND,
        request_body_mode=BUFFERED,
        request_trailer_mode=SEND,
        response_header_mode=SEND,
        response_body_mode=BUFFERED if response_point else NONE,
        response_trailer_mode=SEND if response_point else SKIP,
    )


# Envoy compares an override with this list field by field (all but request_header_mode): the codec sends exactly these.
BODIES_WAIVED = ProcessingMode(
    request_header_mode=SEND,
    request_body_mode=NONE,
    request_trailer_mode=SKIP,
    response_header_mode=SEND,
    response_body_mode=NONE,
    response_trailer_mode=SKIP,
)
REQUEST_BODY_WAIVED = ProcessingMode(
    request_header_mode=SEND,
    request_body_mode=NONE,
    request_trailer_mode=SKIP,
    response_header_mode=SEND,
    response_body_mode=BUFFERED,
    response_trailer_mode=SEND,
)


def _status(code: int) -> StatusCode:
    """Envoy's enumeration is closed (it refuses 418 and 451), the generated class is open."""
    if code not in list(StatusCode):
        raise ConfigurationError(
            f"blocking.failure_status: Envoy itself cannot answer with {code}; use 503, 403 or another well-known 4xx"
        )
    return StatusCode(code)
