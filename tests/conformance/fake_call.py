"""The stream of one HTTP exchange between the fake Envoy and a processor, message by message."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from conformance.exchange import Message
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse

from extproc.istio.gateway import Gateway

Process = Callable[["FakeStream"], Awaitable[bool]]


class FakeStream:
    """Both ends of one gRPC stream; `metadata` is empty, as without tracing."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.to_server: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.to_envoy: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.at_end = False

    async def read(self) -> bytes | None:
        message = await self.to_server.get()
        self.at_end = message is None
        return message

    async def write(self, message: bytes) -> None:
        await self.to_envoy.put(message)


class LocalReply(Exception):
    """Envoy, or a filter, answers by itself."""

    def __init__(self, status: int, details: str, body: bytes = b"") -> None:
        self.message = Message(status=status, body=body, headers=(("content-type", "text/plain"),))
        self.details = details


class Immediate(Exception):
    """The processor's ImmediateResponse: nothing asks it any more."""

    def __init__(self, message: Message) -> None:
        self.message = message


@dataclass
class Call:
    """One HTTP exchange inside the fake: its stream, and what the processor has said so far."""

    gateway: Gateway
    process: Process
    stream: FakeStream = field(default_factory=FakeStream)
    metadata: dict[str, str] = field(default_factory=dict)
    over: bool = False

    def __post_init__(self) -> None:
        buffered, none = ProcessingMode.BUFFERED, ProcessingMode.NONE
        judged = buffered if self.gateway.response_point else none
        self.mode = ProcessingMode(request_body_mode=buffered, response_body_mode=judged)

    def start(self) -> None:
        self.task = asyncio.ensure_future(self._run())

    async def _run(self) -> bool:
        """An end of the server's: True where it was a clean one (which the real Envoy takes for a pass)."""
        try:
            denied = await self.process(self.stream)
        except Exception:  # noqa: BLE001 - the driver turns it into an abort
            return False
        finally:
            await self.stream.to_envoy.put(None)
        return denied or self.stream.at_end

    async def ask(self, part: str, fill: Callable[[ProcessingRequest], None]) -> ProcessingResponse | None:
        """Send one message and take its reply; None once the processor is out of the way."""
        if self.over:
            return None
        request = ProcessingRequest()
        fill(request)
        await self.stream.to_server.put(request.SerializeToString())
        answer = await self.stream.to_envoy.get()
        if answer is None:
            self.over = True
            if not await self.task:
                raise LocalReply(self.gateway.status_on_error, "ext_proc_error_gRPC_error")
            return None
        reply = ProcessingResponse.FromString(answer)
        for name, value in reply.dynamic_metadata.fields["extproc"].struct_value.fields.items():
            self.metadata[name] = value.string_value
        if reply.HasField("mode_override") and self.gateway.waivers and part.endswith("_headers"):
            self.mode = reply.mode_override
        kind = reply.WhichOneof("response")
        if kind == "immediate_response":
            self.over = True
            raise Immediate(_immediate(reply.immediate_response))
        assert kind == part, f"a reply of {kind} to {part}"
        return reply

    async def close(self) -> None:
        self.over = True
        await self.stream.to_server.put(None)
        await self.task


def _immediate(immediate: object) -> Message:
    headers = tuple((o.header.key, o.header.raw_value.decode()) for o in immediate.headers.set_headers)
    if immediate.HasField("grpc_status"):  # of a gRPC request
        return Message(status=200, headers=(*headers, ("grpc-status", str(immediate.grpc_status.status))))
    return Message(status=immediate.status.code, headers=headers, body=immediate.body)
