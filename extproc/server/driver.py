"""grpc.aio: the transport.  It moves bytes between Envoy and a handler and knows nothing of what they mean.

The method is registered as a generic one with bytes in and out, so that another transport can take its place.

An OK end of the stream makes Envoy forward the traffic uninspected, even with `failure_mode_allow: false`.  So a
handler ends cleanly only after Envoy's own end of the stream, or when it says that it has sent an ImmediateResponse;
every other way out is `context.abort`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias

import grpc
import grpc.aio

from extproc.errors import ListenError
from extproc.server.binding import reason, served
from extproc.server.tls import Tls

SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"
_LOG = logging.getLogger(__name__)


class Stream:
    """One exchange's messages, as bytes.  `metadata` is the call's own (Envoy's `traceparent` among it)."""

    def __init__(self, context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        self._context = context
        pairs = context.invocation_metadata() or ()
        self.metadata: Mapping[str, str] = {key: value for key, value in pairs if isinstance(value, str)}
        self.at_end = False

    async def read(self) -> bytes | None:
        """The next message, or None once Envoy has ended the stream."""
        message: object = await self._context.read()
        if isinstance(message, bytes):
            return message
        self.at_end = True  # grpc.aio.EOF
        return None

    async def write(self, message: bytes) -> None:
        """Answer the message that was read last."""
        await self._context.write(message)


Handler: TypeAlias = Callable[[Stream], Awaitable[bool]]
"""Serves one stream; True says that the exchange was ended by an ImmediateResponse."""


class Driver:
    """The server's sockets.

    `receive_limit_bytes` must exceed Envoy's buffer plus a message's headers.  For an exchange beyond `streams` at a
    time `make_room` is asked to end another; where it cannot, the new one ends with RESOURCE_EXHAUSTED, which Envoy
    turns into a denial.  grpc's own limit would refuse health checks too, and Envoy would take a busy server for a dead
    one.  With `tls` a stream of a peer that may not ask ends with PERMISSION_DENIED before it is read; health checks
    need a certificate of the CA and no name.
    """

    def __init__(
        self,
        *,
        handler: Handler,
        receive_limit_bytes: int,
        streams: int,
        make_room: Callable[[], bool] = lambda: False,
        tls: Tls | None = None,
    ) -> None:
        self._handler = handler
        self._tls = tls
        self._places = asyncio.Semaphore(streams)
        self._make_room = make_room
        self.server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", receive_limit_bytes),
                ("grpc.so_reuseport", 0),  # a port in use is an error, not a second listener
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
            ]
        )
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(self._process)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Process": method}),))

    async def listen(self, address: str) -> str:
        """Bind `HOST:PORT` or `unix:///path` and serve; answers the address with the real port.

        Raises ListenError where it cannot be bound.
        """
        if served(address):
            raise ListenError(f"listen: {address} cannot be bound (another process serves it): name a free one")
        try:
            port = self._bind(address)
        except RuntimeError:
            why = reason(address)
            raise ListenError(
                f"listen: {address} cannot be bound ({why}): name a free address of this machine"
            ) from None
        await self.server.start()
        return address if address.startswith("unix:") else f"{address.rpartition(':')[0]}:{port}"

    def _bind(self, address: str) -> int:
        if self._tls is None:
            return self.server.add_insecure_port(address)
        return self.server.add_secure_port(address, self._tls.credentials)

    async def stop(self, grace_s: float) -> None:
        """Refuse new streams, and give those that run `grace_s` seconds."""
        await self.server.stop(grace_s)

    async def _process(self, _: AsyncIterator[bytes], context: "grpc.aio.ServicerContext[bytes, bytes]") -> None:
        if self._tls is not None and not self._tls.admits(context.auth_context()):
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "the certificate has no name that may ask")
        if self._places.locked() and not self._make_room():
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many exchanges at a time")
        stream = Stream(context)
        try:
            async with self._places:
                denied = await self._handler(stream)
        except asyncio.CancelledError:
            # The peer is gone.  If it is not, an end without a status would be an OK end.
            if not context.cancelled():
                await context.abort(grpc.StatusCode.CANCELLED, "the exchange was cancelled")
            return
        except Exception:  # noqa: BLE001 - whatever it was, an OK end would let the traffic through
            _LOG.exception("an exchange failed")
            await context.abort(grpc.StatusCode.INTERNAL, "the exchange failed")
        if not denied and not stream.at_end:
            await context.abort(grpc.StatusCode.INTERNAL, "the exchange is not over")
