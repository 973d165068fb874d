"""What becomes of decisions while the OPA server is away, or does not answer."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from engines.impostor import (
    QUESTION,
    TIMEOUT,
    Impostor,
    connected,
    decide,
    http,
    says,
    silent,
)

from extproc.engines.opa_client import IN_FLIGHT
from extproc.errors import EngineError, EngineTimeout, Overloaded


def test_while_no_server_is_there_nothing_is_decided_and_when_it_is_back_everything_is() -> None:
    async def scenario() -> None:
        impostor = Impostor(says(http(b'{"result": true}')))
        async with AsyncExitStack() as stack:
            async with impostor.serving() as url:
                engine = await stack.enter_async_context(connected(url))
                assert (await decide(engine)).result == b"true"
            with pytest.raises(EngineError, match=r"^the OPA server cannot be reached$"):
                await decide(engine)
            async with impostor.serving(int(url.rpartition(":")[2])):
                assert (await decide(engine)).result == b"true"

    asyncio.run(scenario())


def test_the_server_has_a_bounded_number_of_queries_at_once_and_the_deadline_counts_the_wait() -> None:
    async def scenario() -> None:
        impostor = Impostor(silent)
        async with impostor.serving() as url, connected(url) as engine:
            asked = [asyncio.create_task(decide(engine, 0.3)) for _ in range(IN_FLIGHT + 5)]
            errors = await asyncio.gather(*asked, return_exceptions=True)
            assert [(type(error), str(error)) for error in errors] == [(EngineTimeout, str(TIMEOUT))] * len(asked)
            assert impostor.queries.qsize() == IN_FLIGHT

    asyncio.run(scenario())


def test_what_cannot_be_answered_in_time_is_refused_at_once() -> None:
    async def scenario() -> None:
        async with Impostor(silent).serving() as url, connected(url) as engine:
            with pytest.raises(EngineTimeout):
                await decide(engine, 0.5)
            waiting = [engine.decide(QUESTION, 0.5) for _ in range(2 * IN_FLIGHT)]
            shed = engine.decide(QUESTION, 0.01)
            assert (type(shed.exception()), str(shed.exception())) == (
                Overloaded,
                f"{IN_FLIGHT} decisions are waiting: the deadline cannot be met",
            )
            errors = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(error) for error in errors] == [EngineTimeout] * len(waiting)

    asyncio.run(scenario())


def test_a_cancelled_decision_makes_room() -> None:
    async def scenario() -> None:
        impostor = Impostor(silent)
        async with impostor.serving() as url, connected(url) as engine:
            asked = [asyncio.create_task(decide(engine)) for _ in range(2 * IN_FLIGHT)]
            for _ in range(IN_FLIGHT):
                await impostor.queries.get()
            for task in asked:
                task.cancel()
            assert all(
                isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(*asked, return_exceptions=True)
            )
            impostor.conduct = says(http(b'{"result": true}'))
            assert (await decide(engine)).result == b"true"

    asyncio.run(scenario())


def test_a_closed_engine_answers_with_an_error_and_so_does_what_was_waiting() -> None:
    async def scenario() -> None:
        impostor = Impostor(silent)
        async with impostor.serving() as url, connected(url) as engine:
            asked = [asyncio.create_task(decide(engine)) for _ in range(IN_FLIGHT + 1)]
            for _ in range(IN_FLIGHT):
                await impostor.queries.get()
            await engine.close()
            later = asyncio.create_task(decide(engine))
            errors = await asyncio.gather(*asked, later, return_exceptions=True)
            assert [type(error) for error in errors] == [EngineError] * (IN_FLIGHT + 2)
            assert [str(error) for error in errors[-2:]] == ["the engine is closed"] * 2

    asyncio.run(scenario())
