import asyncio
import multiprocessing
import os
from multiprocessing.connection import Connection

import pytest
from engines.asking import BOMB_OR_ANSWER, ENTRYPOINTS, SIMPLE, Policies, ask, outcome, result, running

from extproc.engines import library
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import PolicySet
from extproc.errors import EngineError, EngineTimeout, Overloaded


def test_other_evaluations_go_on_beside_more_bombs_than_there_are_cpus(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER), threads=8) as engine:
            bombs = [engine.decide(ask(b'{"bomb": true}'), 1.0) for _ in range(6)]
            answers = [await result(engine.decide(ask(b'{"bomb": false}'), 5)) for _ in range(20)]
            assert (answers, [bomb.done() for bomb in bombs]) == ([b"true"] * 20, [False] * 6)
            assert [type(await outcome(bomb)) for bomb in bombs] == [EngineTimeout] * 6

    asyncio.run(scenario())


def test_the_deadline_counts_the_time_in_the_queue(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER), threads=1) as engine:
            bomb = engine.decide(ask(b'{"bomb": true}'), 0.2)
            late = engine.decide(ask(b'{"bomb": false}'), 0.05)
            assert isinstance(await outcome(bomb), EngineTimeout)
            assert str(await outcome(late)) == "the deadline passed while the decision was waiting for a thread"

    asyncio.run(scenario())


def test_a_builtin_that_cannot_be_interrupted_is_given_up_and_its_thread_replaced(policies: Policies) -> None:
    async def scenario() -> None:
        rego = "package extproc.request\n\ndecision := bits.lsh(1, input.by)\n"
        async with running(policies(rego), threads=1) as engine:
            stuck = engine.decide(ask(b'{"by": 20000000}'), 0.1)
            behind = engine.decide(ask(b'{"by": 2}'), 5)
            error = await outcome(stuck)
            assert (type(error), str(error)) == (
                EngineTimeout,
                "the policy did not answer, and could not be stopped at the deadline",
            )
            assert await result(behind) == b"4"

    asyncio.run(scenario())


def test_nothing_is_taken_while_too_many_evaluations_cannot_be_stopped(
    policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(library, "MAX_LOST", 1)
        rego = "package extproc.request\n\ndecision := bits.lsh(1, input.by)\n"
        async with running(policies(rego), threads=1) as engine:
            lost = engine.decide(ask(b'{"by": 20000000}'), 0.01)
            assert isinstance(await outcome(lost), EngineTimeout)
            refused = await outcome(engine.decide(ask(b'{"by": 2}'), 5))
            assert isinstance(refused, Overloaded)
            assert str(refused) == "32 evaluations that could not be stopped still run, or memory is out"
            while isinstance(error := await outcome(engine.decide(ask(b'{"by": 2}'), 5)), Overloaded):
                await asyncio.to_thread(os.sched_yield)
            assert error is None

    asyncio.run(scenario())


def test_what_waits_does_not_begin_once_too_many_cannot_be_stopped(
    policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(library, "MAX_LOST", 1)
        before = library.library().statistics()
        rego = "package extproc.request\n\ndecision := bits.lsh(1, input.by)\n"
        async with running(policies(rego), threads=2) as engine:
            stuck = [engine.decide(ask(b'{"by": 20000000}'), 0.2) for _ in range(2)]
            waiting = [engine.decide(ask(b'{"by": 20000000}'), 60) for _ in range(8)]
            assert [type(await outcome(future)) for future in stuck] == [EngineTimeout] * 2
            errors = [await outcome(future) for future in waiting]
            assert [(type(error), str(error)) for error in errors] == [
                (Overloaded, "too many evaluations could not be stopped at their deadlines and still run")
            ] * 8
            after = library.library().statistics()
            assert (after.lost - before.lost, after.failures["overloaded"] - before.failures["overloaded"]) == (2, 8)

    asyncio.run(scenario())


def test_what_cannot_be_answered_in_time_is_refused_at_once(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER), threads=1) as engine:
            for _ in range(3):
                assert isinstance(await outcome(engine.decide(ask(b'{"bomb": true}'), 0.1)), EngineTimeout)
            bombs = [engine.decide(ask(b'{"bomb": true}'), 0.3) for _ in range(3)]
            shed = engine.decide(ask(b'{"bomb": false}'), 0.01)
            assert (shed.done(), type(shed.exception())) == (True, Overloaded)
            assert [type(await outcome(bomb)) for bomb in bombs] == [EngineTimeout] * 3
            assert await result(engine.decide(ask(b'{"bomb": false}'), 0.5)) == b"true"

    asyncio.run(scenario())


def test_a_cancelled_decision_leaves_the_queue(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER), threads=1) as engine:
            bomb = engine.decide(ask(b'{"bomb": true}'), 0.2)
            waiting = [engine.decide(ask(b'{"bomb": false}'), 5) for _ in range(100)]
            assert all(future.cancel() for future in waiting)
            assert isinstance(await outcome(bomb), EngineTimeout)
            assert await result(engine.decide(ask(b'{"bomb": false}'), 0.05)) == b"true"

    asyncio.run(scenario())


def test_a_cancelled_decision_is_not_one_that_waits(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER), threads=1) as engine:
            assert isinstance(
                await outcome(engine.decide(ask(b'{"bomb": true}'), 0.2)), EngineTimeout
            )  # a mean of 20 ms
            bomb = engine.decide(ask(b'{"bomb": true}'), 0.2)
            for waiting in [engine.decide(ask(b'{"bomb": false}'), 60) for _ in range(1_000)]:
                waiting.cancel()
            # The only thread is busy, so none of the thousand has been answered: together they would take 20 s.
            later = engine.decide(ask(b'{"bomb": false}'), 10)
            assert isinstance(await outcome(bomb), EngineTimeout)
            assert await result(later) == b"true"

    asyncio.run(scenario())


def test_answers_come_whole_whatever_their_size_and_number(policies: Policies) -> None:
    async def scenario() -> None:
        rego = 'package extproc.request\n\ndecision := concat("", [input.s | some _ in numbers.range(1, 10)])\n'
        async with running(policies(rego)) as engine:
            sizes = [200_000, *range(0, 40_000, 400), 1_000_000]
            futures = [engine.decide(ask(b'{"s": "%b"}' % (b"x" * (n // 10))), 60) for n in sizes]
            assert [len(await result(future) or b"") for future in futures] == [n + 2 for n in sizes]

    asyncio.run(scenario())


def test_a_closed_engine_answers_with_an_error_and_so_does_what_was_waiting(policies: Policies) -> None:
    async def scenario() -> None:
        engine = EmbeddedEngine(policies=policies(BOMB_OR_ANSWER), entrypoints=ENTRYPOINTS, threads=2)
        running_one = engine.decide(ask(b'{"bomb": true}'), 0.2)
        assert await result(engine.decide(ask(b'{"bomb": false}'), 5)) == b"true"  # so the one before it was taken
        engine.decide(ask(b'{"bomb": true}'), 0.2)
        waiting = engine.decide(ask(b'{"bomb": false}'), 5)
        await engine.close()
        later = engine.decide(ask(b'{"bomb": false}'), 5)
        outcomes = [type(future.exception()) for future in (running_one, waiting, later)]
        assert outcomes == [EngineTimeout, EngineError, EngineError]

    asyncio.run(scenario())


def test_closing_does_not_wait_for_what_cannot_be_stopped(policies: Policies) -> None:
    async def scenario() -> None:
        rego = "package extproc.request\n\ndecision := bits.lsh(1, input.by)\n"
        engine = EmbeddedEngine(policies=policies(rego), entrypoints=ENTRYPOINTS, threads=2)
        stuck = engine.decide(ask(b'{"by": 20000000}'), 0.1)
        assert await result(engine.decide(ask(b'{"by": 2}'), 5)) == b"4"
        await engine.close()
        assert isinstance(stuck.exception(), EngineTimeout)

    asyncio.run(scenario())


def test_a_close_that_is_cancelled_goes_on_and_a_second_one_waits_for_it(policies: Policies) -> None:
    async def scenario() -> None:
        engine = EmbeddedEngine(policies=policies(BOMB_OR_ANSWER), entrypoints=ENTRYPOINTS, threads=2)
        bomb = engine.decide(ask(b'{"bomb": true}'), 0.5)
        assert await result(engine.decide(ask(b'{"bomb": false}'), 5)) == b"true"  # so the one before it was taken
        closing = asyncio.ensure_future(engine.close())
        await asyncio.sleep(0)
        closing.cancel()
        assert not bomb.done()
        await engine.close()
        assert isinstance(bomb.exception(), EngineTimeout)

    asyncio.run(scenario())


@pytest.mark.parametrize("deadline_s", [1e10, float("inf")])
def test_a_deadline_may_be_as_far_away_as_one_likes(policies: Policies, deadline_s: float) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER)) as engine:
            assert await result(engine.decide(ask(b'{"bomb": false}'), deadline_s)) == b"true"

    asyncio.run(scenario())


def _in_child(engine: EmbeddedEngine, policies: PolicySet, pipe: Connection) -> None:
    errors = [str(engine.decide(ask(b"{}"), 5).exception())]
    try:
        EmbeddedEngine(policies=policies, entrypoints=ENTRYPOINTS)
    except EngineError as error:
        errors.append(str(error))
    pipe.send(errors)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of just what is tested here
def test_a_forked_child_is_refused(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies(SIMPLE)
        async with running(loaded) as engine:
            ours, theirs = multiprocessing.Pipe()
            child = multiprocessing.get_context("fork").Process(target=_in_child, args=(engine, loaded, theirs))
            child.start()
            assert ours.poll(10)
            assert ours.recv() == ["libopa was loaded before a fork: start workers by spawn"] * 2
            child.join(10)
            assert child.exitcode == 0

    asyncio.run(scenario())
