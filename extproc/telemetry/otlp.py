"""Spans over OTLP/gRPC to a collector: the only exporter, and the only door to grpc in this room.

Source: opentelemetry/proto/collector/trace/v1/trace_service.proto, and the OTLP specification 1.5.0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

import grpc

from extproc.errors import ConfigurationError, ExtProcError
from extproc.telemetry.otlp_messages import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    InstrumentationScope,
    Resource,
    ResourceSpans,
    ScopeSpans,
    Span,
)
from extproc.telemetry.spans import SCHEMA_URL

EXPORT_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MAX_BATCH_SPANS: Final = 512  # the SDK's own default, OTEL_BSP_MAX_EXPORT_BATCH_SIZE
MAX_BATCH_BYTES: Final = 3 << 20  # collectors refuse more than 4 MiB by default (gRPC's receive limit)
DEFAULT_PORT: Final = 4317
DEFAULT_TIMEOUT_S: Final = 10.0  # the specification's default for OTEL_EXPORTER_OTLP_TIMEOUT

_SCOPE = InstrumentationScope(name="extproc.receipts")
_CHANNEL_OPTIONS = (
    # Without these the channel itself waits up to two minutes before it looks for a collector that came back.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.min_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),  # else a new channel may be given the old connection
    ("grpc.enable_retries", 0),  # the shipper repeats, and it alone knows when
)
_Export: TypeAlias = "grpc.UnaryUnaryMultiCallable[ExportTraceServiceRequest, ExportTraceServiceResponse]"


class ExportError(ExtProcError):
    """The collector did not take the batch, which may be sent again; `status` is the name of the gRPC status."""

    code = "export"

    def __init__(self, status: str, message: str) -> None:
        """Keep the status apart: it is bounded, so it may be a metric label, and the message may not."""
        super().__init__(f"{status}: {message}")
        self.status = status


class ExportRejected(ExtProcError):
    """The collector took the batch but refused `rejected` of its spans, for good (OTLP: MUST NOT be sent again)."""

    code = "export_rejected"

    def __init__(self, rejected: int, message: str) -> None:
        """`message` is the collector's own word; it does not say which spans."""
        super().__init__(f"the collector refused {rejected} spans: {message}")
        self.rejected = rejected


@dataclass(frozen=True, slots=True)
class OtlpSettings:
    """Where the spans go: `endpoint` is http:// (plaintext) or https:// (TLS), `headers` become gRPC metadata."""

    endpoint: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    certificate: Path | None = None


def settings_from_env(environ: Mapping[str, str], endpoint: str) -> OtlpSettings:
    """Put the standard OTEL_EXPORTER_OTLP_* variables over the endpoint, and OTEL_EXPORTER_OTLP_TRACES_* over both.

    ENDPOINT, HEADERS (`name=value,…`, values percent-encoded), TIMEOUT (milliseconds) and CERTIFICATE (a PEM file) are
    read.  PROTOCOL may only be `grpc`.  Raises ConfigurationError, which names the variable or the key.
    """

    def variable(name: str) -> tuple[str, str]:
        names = (f"OTEL_EXPORTER_OTLP_TRACES_{name}", f"OTEL_EXPORTER_OTLP_{name}")
        return next(((known, environ[known].strip()) for known in names if environ.get(known, "").strip()), ("", ""))

    protocol_name, protocol = variable("PROTOCOL")
    if protocol not in ("", "grpc"):
        raise ConfigurationError(f"{protocol_name}: {protocol!r} is not spoken here, only grpc")
    endpoint_name, chosen = variable("ENDPOINT")
    chosen = chosen or endpoint
    _target(chosen, endpoint_name or "telemetry.otlp.endpoint")
    certificate = variable("CERTIFICATE")[1]
    return OtlpSettings(
        endpoint=chosen,
        headers=_headers(*variable("HEADERS")),
        timeout_s=_timeout_s(*variable("TIMEOUT")),
        certificate=Path(certificate) if certificate else None,
    )


class OtlpExporter:
    """A connection to one collector.  Not for use by several threads at once."""

    def __init__(self, settings: OtlpSettings) -> None:
        """Prepare a connection that opens on first use: that the collector is away is no reason not to start.

        Raises ConfigurationError where the endpoint is no URL or the certificate cannot be read.
        """
        self._settings = settings
        self._target, tls = _target(settings.endpoint, "telemetry.otlp.endpoint")
        self._credentials = grpc.ssl_channel_credentials(_certificate(settings.certificate)) if tls else None
        self._channel, self._export = self._connect()

    def export(self, resource: Resource, spans: Sequence[Span], timeout_s: float | None = None) -> None:
        """Deliver one batch, of at most MAX_BATCH_SPANS and MAX_BATCH_BYTES, within the timeout.

        `timeout_s` may shorten the configured one.  Raises ExportError where the batch may or may not have arrived,
        ExportRejected where the collector says that it refused spans of it.
        """
        limit_s = self._settings.timeout_s if timeout_s is None else min(timeout_s, self._settings.timeout_s)
        try:
            response = self._export(_request(resource, spans), timeout=limit_s, metadata=self._settings.headers)
        except grpc.RpcError as error:
            status, details = _failure(error)
            if status == grpc.StatusCode.DEADLINE_EXCEEDED.name:
                self._reconnect()
            raise ExportError(status, details) from error
        if response.partial_success.rejected_spans:
            raise ExportRejected(response.partial_success.rejected_spans, response.partial_success.error_message)

    def close(self) -> None:
        """Let go of the connection."""
        self._channel.close()

    def _reconnect(self) -> None:
        """Silence may be a connection that a middlebox forgot: TCP would wait a quarter of an hour to find out."""
        self._channel.close()
        self._channel, self._export = self._connect()

    def _connect(self) -> tuple[grpc.Channel, _Export]:
        channel = (
            grpc.insecure_channel(self._target, options=_CHANNEL_OPTIONS)
            if self._credentials is None
            else grpc.secure_channel(self._target, self._credentials, options=_CHANNEL_OPTIONS)
        )
        export: _Export = channel.unary_unary(
            EXPORT_METHOD,
            request_serializer=ExportTraceServiceRequest.SerializeToString,
            response_deserializer=ExportTraceServiceResponse.FromString,
        )
        return channel, export


def _request(resource: Resource, spans: Sequence[Span]) -> ExportTraceServiceRequest:
    scope = ScopeSpans(scope=_SCOPE, spans=spans, schema_url=SCHEMA_URL)
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource, scope_spans=[scope], schema_url=SCHEMA_URL)]
    )


def _failure(error: grpc.RpcError) -> tuple[str, str]:
    call: object = error  # every error of a call is also a Call, which the declared type does not say
    if isinstance(call, grpc.Call):
        return call.code().name, call.details() or ""
    return grpc.StatusCode.UNKNOWN.name, str(error)


def _target(endpoint: str, key: str) -> tuple[str, bool]:
    """Return the gRPC target and whether to use TLS."""
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname, url.port or DEFAULT_PORT
    except ValueError as error:
        raise ConfigurationError(f"{key}: {endpoint!r} is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not host:
        raise ConfigurationError(f"{key}: {endpoint!r} must be http://host:port (plaintext) or https://host:port (TLS)")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", url.scheme == "https"


def _certificate(path: Path | None) -> bytes | None:
    """Trusted roots in PEM; None means those of the system."""
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"OTEL_EXPORTER_OTLP_CERTIFICATE: {path}: {error.strerror}") from error


def _headers(name: str, text: str) -> tuple[tuple[str, str], ...]:
    """W3C Baggage without properties (OTel, protocol exporter); a value may be a secret, so no error repeats it."""
    headers = []
    for position, item in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ConfigurationError(f"{name}: item {position} is not of the form name=value")
        headers.append((key.strip().lower(), unquote(value.strip())))
    return tuple(headers)


def _timeout_s(name: str, text: str) -> float:
    if not text:
        return DEFAULT_TIMEOUT_S
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ConfigurationError(f"{name}: {text!r} is not a whole number of milliseconds above 0")
    return int(text) / 1000
