"""How the tests ask an embedded engine."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from extproc.core.engine import Evaluation, Question
from extproc.core.point import Point
from extproc.engines.embedded import EmbeddedEngine, Options
from extproc.engines.sources import PolicySet

Policies = Callable[[str], PolicySet]
Running = Callable[[PolicySet], AbstractAsyncContextManager[EmbeddedEngine]]
ENTRYPOINTS = {Point.REQUEST: "extproc/request/decision", Point.RESPONSE: None}
BOMB = "[1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j]"
SIMPLE = "package extproc.request\n\ndecision := input.answer\n"
BOMB_OR_ANSWER = f"package extproc.request\n\ndecision := {BOMB} if input.bomb\n\ndecision := true if not input.bomb\n"


async def outcome(future: asyncio.Future[Evaluation]) -> BaseException | None:
    """Its error, once it has settled."""
    await asyncio.gather(future, return_exceptions=True)
    return future.exception()


async def result(future: asyncio.Future[Evaluation]) -> bytes | None:
    """What the policy said."""
    return (await future).result


def ask(text: bytes) -> Question:
    return Question(Point.REQUEST, text)


@asynccontextmanager
async def running(
    policies: PolicySet, threads: int = 2, options: Options | None = None
) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(policies=policies, entrypoints=ENTRYPOINTS, threads=threads, options=options)
    try:
        yield engine
    finally:
        await engine.close()
