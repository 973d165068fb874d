"""CPU of the policy alone: both decisions of an exchange, by the same engine, on the documents that a worker makes.

    python -m benchmarks.evaluation CONFIG SECONDS

Prints one JSON object: `opa`, the evaluator's version, and `cpu_us`, for each work the CPU time of this process for the
two evaluations together, Go's collector included and the way there and back not: the cost of a policy that says `true`.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.works import PATH, RESPONSE, WORKS, Work
from extproc.config import load_settings
from extproc.core.answer import Unrecorded, Verdict
from extproc.core.body import MemoryBudget
from extproc.core.engine import Question
from extproc.core.events import JSON, Body, Direction, Event, Headers
from extproc.core.exchange import Exchange
from extproc.core.headers import HeaderMap
from extproc.core.rules import Rules
from extproc.core.trace import TraceContext
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import PolicySet, load
from extproc.server.translation import rules_of

_PATIENCE_S = 30.0
_TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True)
_BATCH = 8
_ATTRIBUTES: dict[str, JSON] = {
    "request.id": "5f0c9a1c-7c55-4a0f-8d3b-2f1de0c2a2ab",
    "request.protocol": "HTTP/1.1",
    "request.time": "2026-01-01T00:00:00.000000+00:00",
    "source.address": "127.0.0.1:40000",
    "source.port": 40000,
    "destination.address": "127.0.0.1:8080",
    "connection.mtls": False,
    "connection.requested_server_name": "",
    "xds.route_name": "upstream",
    "xds.virtual_host_name": "upstream",
    "xds.cluster_name": "upstream",
}


def _events(work: Work) -> list[Event]:
    """What Envoy sends for one exchange."""
    sent = {
        ":authority": "bench.example.com",
        ":path": PATH,
        ":method": work.method,
        ":scheme": "http",
        "user-agent": "hey/0.0.1",
        "accept": "application/json",
        "x-forwarded-for": "192.0.2.2",
        "x-envoy-external-address": "127.0.0.1",
        "x-forwarded-proto": "http",
        "x-request-id": str(_ATTRIBUTES["request.id"]),
    }
    if work.body:
        sent |= {"content-type": "application/json", "content-length": str(len(work.body))}
    answered = {
        ":status": "200",
        "content-length": str(len(RESPONSE)),
        "content-type": "application/json",
        "date": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-envoy-upstream-service-time": "0",
    }
    request = Headers(Direction.REQUEST, _header_map(sent), not work.body, _ATTRIBUTES)
    response = Headers(
        Direction.RESPONSE, _header_map(answered), end_of_stream=False, attributes={"response.code": 200}
    )
    bodies = [Body(Direction.REQUEST, work.body, end_of_stream=True)] if work.body else []
    return [request, *bodies, response, Body(Direction.RESPONSE, RESPONSE, end_of_stream=True)]


def _header_map(headers: dict[str, str]) -> HeaderMap:
    return HeaderMap(tuple((name, value.encode()) for name, value in headers.items()))


async def _questions(work: Work, rules: Rules, engine: EmbeddedEngine) -> list[Question]:
    """The documents of both points, made by the exchange itself."""
    exchange = Exchange(rules, MemoryBudget(1 << 30), _TRACE)
    questions = []
    for event in _events(work):
        step = exchange.receive(event)
        if isinstance(step, Question):
            questions.append(step)
            step = exchange.resolve(step, await asyncio.wrap_future(engine.decide(step, _PATIENCE_S)))
        if isinstance(step, Verdict):
            exchange.answer(step, Unrecorded())
    return questions


async def _cpu_us(call: Callable[[], Awaitable[None]], seconds: float) -> float:
    """The mean CPU time of a call; the process does nothing else."""
    calls, start_ns, end_s = 0, time.process_time_ns(), time.monotonic() + seconds
    while time.monotonic() < end_s:
        for _ in range(_BATCH):
            await call()
        calls += _BATCH
    return (time.process_time_ns() - start_ns) / calls / 1000


async def _hand_over_us(seconds: float) -> float:
    """A decision that needs no evaluation to speak of."""
    policies = PolicySet({"nothing.rego": "package nothing\n\ndecision := true\n"}, b"{}", "", "", "")
    engine = EmbeddedEngine(policies=policies, entrypoints={Direction.REQUEST: "nothing/decision"}, threads=1)
    question = Question(Direction.REQUEST, b"{}")

    async def nothing() -> None:
        await asyncio.wrap_future(engine.decide(question, _PATIENCE_S))

    await nothing()
    mean_us = await _cpu_us(nothing, seconds)
    await engine.close()
    return mean_us


async def _measure(config: Path, seconds: float) -> dict[str, object]:
    settings = load_settings(config)
    rules = rules_of(settings)
    hand_over_us = await _hand_over_us(0.3)
    policies = load(settings.policy.paths, settings.policy.data)
    engine = EmbeddedEngine(policies=policies, entrypoints=rules.entrypoints, threads=1)
    cpu_us = {}
    for work in WORKS:
        questions = await _questions(work, rules, engine)

        async def both(questions: list[Question] = questions) -> None:
            for question in questions:
                await asyncio.wrap_future(engine.decide(question, _PATIENCE_S))

        await both()
        cpu_us[work.name] = await _cpu_us(both, seconds) - len(questions) * hand_over_us
    await engine.close()
    return {"opa": engine.identity().engine_version, "hand_over_us": hand_over_us, "cpu_us": cpu_us}


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in a worker
    document = asyncio.run(_measure(Path(sys.argv[1]), float(sys.argv[2])))
    sys.stdout.write(json.dumps(document) + "\n")
