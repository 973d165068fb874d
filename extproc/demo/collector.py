"""A small OTLP/gRPC receiver that keeps the spans it is sent: the collector of `extproc demo`, and of the tests.

It can also behave as collectors do on a bad day (see Conduct), so that the shipper is tested against the wire.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias, assert_never

import grpc

from extproc.telemetry.otlp_messages import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    ResourceSpans,
    Span,
)

_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_THREADS: Final = 4
_Context: TypeAlias = grpc.ServicerContext
_Export: TypeAlias = Callable[[ExportTraceServiceRequest, _Context], ExportTraceServiceResponse]


class Conduct(Enum):
    """What the receiver does with a batch."""

    ACCEPT = auto()
    REFUSE = auto()  # UNAVAILABLE
    BLACKHOLE = auto()  # no answer; nothing is kept


@dataclass(frozen=True, slots=True)
class PartialSuccess:
    """Keep the batch but its first `rejected` spans, and say so in the answer."""

    rejected: int
    message: str


class Collector:
    """A receiver on a loopback port.  `conduct` may be changed while it runs."""

    def __init__(self, port: int = 0) -> None:
        """Bind at once, on any free port by default.  Raises OSError where the port is taken."""
        self.conduct: Conduct | PartialSuccess = Conduct.ACCEPT
        self._received: list[ResourceSpans] = []
        self._metadata: list[dict[str, str | bytes]] = []
        self._peers: list[str] = []
        self._arrived = threading.Condition()
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-receiver"), options=(("grpc.so_reuseport", 0),)
        )
        self._server.add_generic_rpc_handlers((_handler(self._export),))
        try:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        except RuntimeError as error:
            raise OSError(f"cannot listen on 127.0.0.1:{port}") from error
        self._server.start()

    @property
    def endpoint(self) -> str:
        """The URL for `telemetry.otlp.endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    def received(self) -> tuple[ResourceSpans, ...]:
        """Everything kept so far, in the order of arrival."""
        with self._arrived:
            return tuple(self._received)

    def spans(self) -> tuple[Span, ...]:
        """Return the spans alone."""
        return tuple(span for resource in self.received() for scope in resource.scope_spans for span in scope.spans)

    def metadata(self) -> tuple[dict[str, str | bytes], ...]:
        """Return the gRPC metadata of each call."""
        with self._arrived:
            return tuple(self._metadata)

    def peers(self) -> tuple[str, ...]:
        """Return the client's end of each call's connection."""
        with self._arrived:
            return tuple(self._peers)

    def wait_for(self, count: int, timeout_s: float) -> bool:
        """Block until at least `count` spans are here; False where they are not in time."""
        with self._arrived:
            return self._arrived.wait_for(lambda: len(self.spans()) >= count, timeout_s)

    def stop(self) -> None:
        """Close the port and drop every call; returns when both are done."""
        self._server.stop(grace=None).wait()

    def _export(self, request: ExportTraceServiceRequest, context: _Context) -> ExportTraceServiceResponse:
        with self._arrived:
            self._metadata.append(dict(context.invocation_metadata()))
            self._peers.append(context.peer())
        match self.conduct:
            case Conduct.ACCEPT:
                self._keep(request)
            case Conduct.REFUSE:
                context.abort(grpc.StatusCode.UNAVAILABLE, "told to refuse")
            case Conduct.BLACKHOLE:
                _until_given_up(context)
            case PartialSuccess(rejected, message):
                del request.resource_spans[0].scope_spans[0].spans[:rejected]
                self._keep(request)
                return ExportTraceServiceResponse(
                    partial_success=ExportTracePartialSuccess(rejected_spans=rejected, error_message=message)
                )
            case unreachable:
                assert_never(unreachable)
        return ExportTraceServiceResponse()

    def _keep(self, request: ExportTraceServiceRequest) -> None:
        with self._arrived:
            self._received.extend(request.resource_spans)
            self._arrived.notify_all()


@contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    """Run a receiver for the length of a block."""
    receiver = Collector(port)
    try:
        yield receiver
    finally:
        receiver.stop()


def _until_given_up(context: _Context) -> None:
    """Hold the call until the client gives up or the receiver stops."""
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait()


def _handler(export: _Export) -> grpc.GenericRpcHandler:
    method = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(_SERVICE, {"Export": method})
