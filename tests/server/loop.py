"""A service with an engine and a ledger that do as they are told, and Envoy's end of a stream in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from conformance.fake_call import FakeStream
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from prometheus_client import CollectorRegistry

from extproc.core.budget import MemoryBudget
from extproc.core.engine import Evaluation, PolicyIdentity, Question
from extproc.core.receipt import Claims, SignedReceipt
from extproc.core.rules import Rules
from extproc.errors import EvidenceUnwritable, ExchangeError
from extproc.server.service import Service
from extproc.telemetry.metrics import metrics

HEADERS = [{"key": ":method", "raw_value": b"POST"}, {"key": "content-type", "raw_value": b"application/json"}]
HEAD = ProcessingRequest(request_headers={"headers": {"headers": HEADERS}}).SerializeToString()
GET = ProcessingRequest(request_headers={"headers": {"headers": HEADERS}, "end_of_stream": True}).SerializeToString()
ANSWER = ProcessingRequest(
    response_headers={"headers": {"headers": [{"key": ":status", "raw_value": b"200"}]}}
).SerializeToString()
BODY = ProcessingRequest(request_body={"body": b'{"a":1}', "end_of_stream": True}).SerializeToString()


@dataclass
class Engine:
    """Answers with `result`, raises it, or (Ellipsis) never answers."""

    result: object = b"true"
    asked: list[Question] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def decide(self, question: Question, deadline_s: float) -> asyncio.Future[Evaluation]:
        self.asked.append(question)
        self.deadlines.append(deadline_s)
        self.called.set()
        future: asyncio.Future[Evaluation] = asyncio.get_running_loop().create_future()
        if isinstance(self.result, ExchangeError):
            future.set_exception(self.result)
        elif self.result is not ...:
            future.set_result(Evaluation(self.result, self.identity(), 1))
        return future

    def identity(self) -> PolicyIdentity:
        return PolicyIdentity("test", "0", "", "p", "d")

    async def close(self) -> None:
        return


@dataclass
class Ledger:
    """Keeps what it is given; while it is `broken`, raises."""

    broken: bool = False
    claims: list[Claims] = field(default_factory=list)

    def record(self, claims: Claims) -> SignedReceipt:
        if self.broken:
            raise EvidenceUnwritable("told to")
        self.claims.append(claims)
        return SignedReceipt(f"r{len(self.claims)}", b"", b"")

    def reasons(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(claims.outcome.value, claims.reasons) for claims in self.claims]


@dataclass
class Bench:
    """One service and what it is made of."""

    engine: Engine = field(default_factory=Engine)
    ledger: Ledger = field(default_factory=Ledger)
    rules: Rules = field(default_factory=Rules)
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(1 << 20))
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    allow_unrecorded: bool = False
    deadline_s: float = 10.0
    body_s: float = 10.0
    service: Service = field(init=False)

    def play(self, script: Callable[["Conversation"], Awaitable[None]]) -> bool:
        """Run the script at Envoy's end; the answer is what `serve` said."""
        self.service = Service(
            rules=self.rules,
            engine=self.engine,
            ledger=self.ledger,
            budget=self.budget,
            cpu_ns=lambda: 0,
            metrics=metrics(self.registry),
            new_trace_id=lambda: "a" * 32,
            deadline_s=self.deadline_s,
            allow_unrecorded=self.allow_unrecorded,
            body_s=self.body_s,
        )

        async def run() -> bool:
            stream = FakeStream()
            serving = asyncio.create_task(self.service.serve(stream))
            await script(Conversation(stream, serving))
            return await serving

        return asyncio.run(run())

    def measured(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"extproc_{name}", labels)


@dataclass
class Conversation:
    """Envoy's end of the stream."""

    stream: FakeStream
    serving: asyncio.Task[bool]

    async def ask(self, message: bytes) -> ProcessingResponse:
        await self.stream.to_server.put(message)
        return ProcessingResponse.FromString(await self.stream.to_envoy.get() or b"")

    async def end(self) -> None:
        await self.stream.to_server.put(None)


def kind(reply: ProcessingResponse) -> tuple[str, str]:
    """The kind of a reply, and the word of a denial, else what the request guard finds in it."""
    word = reply.immediate_response.details
    if not word and reply.dynamic_metadata.fields:
        word = reply.dynamic_metadata["extproc"]["request"]
    return str(reply.WhichOneof("response")), str(word)
