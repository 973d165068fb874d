"""The floor: an ext_proc server on grpc.aio that reads what Envoy sends and says CONTINUE, and does nothing else.

    python -m benchmarks.empty_server unix:///path/to.sock

Its replies are made once.  Each has the metadata that the guards of the rendered gateway look for, so that the very
same gateway stands in front of it.
"""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import grpc
import grpc.aio
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio

_PARTS = ("headers", "body", "trailers")
_RECEIVE_LIMIT_BYTES = 4 << 20


def _reply(direction: str, part: str) -> bytes:
    response = ProcessingResponse()
    answer = getattr(response, f"{direction}_{part}")
    (answer if part == "trailers" else answer.response).SetInParent()
    response.dynamic_metadata.fields["extproc"].struct_value.fields[direction].string_value = "allow"
    return bytes(response.SerializeToString())


REPLIES = {f"{way}_{part}": _reply(way, part) for way in ("request", "response") for part in _PARTS}
"""By the name of the message's `request` field."""
Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"
Process: TypeAlias = Callable[[AsyncIterator[bytes], Context], Awaitable[None]]


async def _process(_: AsyncIterator[bytes], context: Context) -> None:
    while isinstance(message := await context.read(), bytes):
        await context.write(REPLIES[ProcessingRequest.FromString(message).WhichOneof("request")])


async def serve(address: str, process: Process) -> None:
    """Answer each stream by `process` until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", _RECEIVE_LIMIT_BYTES)])
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_stream_rpc_method_handler(process)
    service = "envoy.service.ext_proc.v3.ExternalProcessor"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Process": method}),))
    health = aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(address)
    await server.start()
    await health.set("", health_pb2.HealthCheckResponse.SERVING)
    await ended.wait()
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], _process))
