import asyncio
import json
import multiprocessing
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from multiprocessing.connection import Connection

import pytest

from extproc.core.engine import Evaluation, PolicyEngine, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines import library
from extproc.engines.embedded import EmbeddedEngine, Options
from extproc.engines.sources import PolicySet
from extproc.errors import EngineError, EngineTimeout, Overloaded, PolicyLoadError

Policies = Callable[[str], PolicySet]
Running = Callable[[PolicySet], AbstractAsyncContextManager[EmbeddedEngine]]
ENTRYPOINTS = {Point.REQUEST: "extproc/request/decision", Point.RESPONSE: None}
BOMB = "[1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j]"
SIMPLE = "package extproc.request\n\ndecision := input.answer\n"
BOMB_OR_ANSWER = f"package extproc.request\n\ndecision := {BOMB} if input.bomb\n\ndecision := true if not input.bomb\n"


async def outcome(future: Future[Evaluation]) -> BaseException | None:
    """Its error, once it has settled."""
    await asyncio.gather(asyncio.wrap_future(future), return_exceptions=True)
    return future.exception()


async def result(future: Future[Evaluation]) -> bytes | None:
    """What the policy said."""
    return (await asyncio.wrap_future(future)).result


def ask(text: bytes) -> Question:
    return Question(Point.REQUEST, text)


@asynccontextmanager
async def running(policies: PolicySet, threads: int = 2) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine(policies=policies, entrypoints=ENTRYPOINTS, threads=threads)
    try:
        yield engine
    finally:
        await engine.close()


def test_it_keeps_the_table_of_engine_behaviours(engine_case: Callable[[Running], None]) -> None:
    engine_case(running)


def test_an_evaluation_names_the_policy_and_its_own_duration(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies(SIMPLE)
        async with running(loaded) as engine:
            evaluation = await asyncio.wrap_future(engine.decide(ask(b'{"answer": 42}'), 5))
            identity = PolicyIdentity("embedded", "1.22.2", "", loaded.policy_digest, loaded.data_digest)
            told = {"time_ns": evaluation.time_ns, "seed": evaluation.seed}
            assert evaluation == Evaluation(b"42", identity, evaluation.duration_us, **told)
            assert 0 < evaluation.duration_us < 5_000_000
            assert engine.identity() == identity

    asyncio.run(scenario())


def test_it_is_a_policy_engine(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            protocol: PolicyEngine = engine
            assert protocol.identity().engine == "embedded"

    asyncio.run(scenario())


def test_an_error_names_code_and_place_but_nothing_of_the_input(policies: Policies) -> None:
    async def scenario() -> None:
        rego = "package extproc.request\n\ndecision := 1 if input.x\n\ndecision := 2 if input.y\n"
        async with running(policies(rego)) as engine:
            error = await outcome(engine.decide(ask(b'{"x": "secret", "y": "secret"}'), 5))
            assert isinstance(error, EngineError)
            assert str(error).startswith("eval_conflict_error at ")
            assert str(error).endswith("/request.rego:5")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"answer": 1, "answer": 2}', "input: duplicate key in the object that ends at byte 26"),
        (b'{"answer": "\xff"}', "input: input is not valid UTF-8"),
        (b'{"answer": "\\ud800"}', "input: lone surrogate at byte 18"),
        (b'{"answer": 1} x', "input: trailing data at byte 14"),
        (b"", "input: input ends too early"),
        (b"[" * 100_000, "input: nested too deeply at byte 1025"),
        (b'{"answer": 1e-400000}', "input: number out of range at byte 20"),
    ],
)
def test_an_input_that_is_not_strict_json_is_an_error(policies: Policies, text: bytes, message: str) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            with pytest.raises(EngineError) as caught:
                await result(engine.decide(ask(text), 5))
            assert str(caught.value) == message

    asyncio.run(scenario())


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
            assert isinstance(await outcome(engine.decide(ask(b'{"by": 2}'), 5)), Overloaded)
            while isinstance(error := await outcome(engine.decide(ask(b'{"by": 2}'), 5)), Overloaded):
                await asyncio.to_thread(os.sched_yield)
            assert error is None

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


def test_answers_come_whole_whatever_their_size_and_number(policies: Policies) -> None:
    async def scenario() -> None:
        rego = 'package extproc.request\n\ndecision := concat("", [input.s | some _ in numbers.range(1, 10)])\n'
        async with running(policies(rego)) as engine:
            sizes = [200_000, *range(0, 40_000, 400), 1_000_000]
            futures = [engine.decide(ask(b'{"s": "%b"}' % (b"x" * (n // 10))), 60) for n in sizes]
            assert [len(await result(future) or b"") for future in futures] == [n + 2 for n in sizes]

    asyncio.run(scenario())


def test_a_builtin_that_reaches_out_does_not_load_and_the_rule_and_line_are_named(policies: Policies) -> None:
    calls = {
        "http.send": '({"method": "GET", "url": "http://a"})',
        "net.lookup_ip_addr": '("a")',
        "opa.runtime": "()",
    }
    for builtin, arguments in calls.items():
        loaded = policies(f"package extproc.request\n\ndecision := {builtin}{arguments}\n")
        with pytest.raises(PolicyLoadError) as caught:
            EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS)
        assert str(caught.value).endswith(
            f"/request.rego:3:13: builtin_withheld: {builtin} is off, and rule data.extproc.request.decision calls it: "
            "do without, or name it in policy.allow_builtins"
        )


def test_a_builtin_that_is_allowed_by_name_is_called(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies("package extproc.request\n\ndecision := opa.runtime()\n")
        options = Options(allow_builtins=("opa.runtime",))
        engine = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, threads=1, options=options)
        assert await result(engine.decide(ask(b"{}"), 5)) == b"{}"
        await engine.close()

    asyncio.run(scenario())


def test_an_entrypoint_that_no_policy_defines_does_not_load(policies: Policies) -> None:
    loaded = policies("package extproc.request\n\nverdict := true\n")
    with pytest.raises(PolicyLoadError) as caught:
        EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS)
    assert str(caught.value) == (
        "entrypoint: no policy defines the entrypoint extproc/request/decision: define it, or change policy.points"
    )


def test_a_point_without_an_entrypoint_is_an_error(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            error = await outcome(engine.decide(Question(Point.RESPONSE, b"{}"), 5))
            assert (type(error), str(error)) == (EngineError, "no entrypoint is configured for the response point")

    asyncio.run(scenario())


def test_the_clock_is_the_callers(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies("package extproc.request\n\ndecision := time.now_ns()\n")
        options = Options(clock_ns=lambda: 1_700_000_000_000_000_001)
        engine = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, options=options)
        assert await result(engine.decide(ask(b"{}"), 5)) == b"1700000000000000001"
        await engine.close()

    asyncio.run(scenario())


def test_an_evaluation_repeats_with_the_time_and_the_seed_that_it_tells(policies: Policies) -> None:
    async def scenario() -> None:
        rego = 'decision := [time.now_ns(), rand.intn("a", 1000000000), uuid.rfc4122("b")]'
        loaded = policies(f"package extproc.request\n\n{rego}\n")
        async with running(loaded) as engine:
            first, other = [await asyncio.wrap_future(engine.decide(ask(b"{}"), 5)) for _ in range(2)]
        options = Options(clock_ns=lambda: first.time_ns or 0, new_seed=lambda: first.seed or 0)
        repeating = EmbeddedEngine(policies=loaded, entrypoints=ENTRYPOINTS, threads=1, options=options)
        assert await result(repeating.decide(ask(b"{}"), 5)) == first.result != other.result
        await repeating.close()

    asyncio.run(scenario())


def test_a_replaced_policy_decides_from_then_on_and_a_broken_one_never(policies: Policies) -> None:
    async def scenario() -> None:
        old = policies(SIMPLE)
        async with running(old) as engine:
            new = policies('package extproc.request\n\ndecision := "new"\n')
            assert (engine.serves(old), engine.serves(new)) == (True, False)
            engine.replace(new)
            evaluation = await asyncio.wrap_future(engine.decide(ask(b'{"answer": 1}'), 5))
            assert (evaluation.result, evaluation.policy.policy_digest) == (b'"new"', new.policy_digest)
            with pytest.raises(PolicyLoadError, match="rego_parse_error"):
                engine.replace(policies("package extproc.request\n\ndecision := {\n"))
            assert engine.serves(new)

    asyncio.run(scenario())


def test_an_evaluation_keeps_the_policy_that_it_started_with(policies: Policies) -> None:
    async def scenario() -> None:
        old = policies(f"package extproc.request\n\ndecision := count({BOMB.replace('30000', '700')}) if input.bomb\n")
        async with running(old, threads=4) as engine:
            open_ones = [engine.decide(ask(b'{"bomb": true}'), 30) for _ in range(4)]
            for number in range(10):
                engine.replace(policies(f"package extproc.request\n\ndecision := {number}\n"))
            evaluations = [await asyncio.wrap_future(future) for future in open_ones]
            answers = [(evaluation.result, evaluation.policy.policy_digest) for evaluation in evaluations]
            assert answers == [(b"700", old.policy_digest)] * 4

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
        outcomes = [type(future.exception(0)) for future in (running_one, waiting, later)]
        assert outcomes == [EngineTimeout, EngineError, EngineError]

    asyncio.run(scenario())


def test_closing_does_not_wait_for_what_cannot_be_stopped(policies: Policies) -> None:
    async def scenario() -> None:
        rego = "package extproc.request\n\ndecision := bits.lsh(1, input.by)\n"
        engine = EmbeddedEngine(policies=policies(rego), entrypoints=ENTRYPOINTS, threads=2)
        stuck = engine.decide(ask(b'{"by": 20000000}'), 0.1)
        assert await result(engine.decide(ask(b'{"by": 2}'), 5)) == b"4"
        await engine.close()
        assert isinstance(stuck.exception(0), EngineTimeout)

    asyncio.run(scenario())


def _in_child(engine: EmbeddedEngine, policies: PolicySet, pipe: Connection) -> None:
    errors = [str(engine.decide(ask(b"{}"), 5).exception(timeout=5))]
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


def test_the_data_document_reaches_the_policy_with_its_integers(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies("package extproc.request\n\ndecision := data.limits\n")
        limits = {"big": 10**25 + 1, "text": "é"}
        loaded = PolicySet(loaded.modules, {"limits": limits}, "", "", "")
        async with running(loaded) as engine:
            assert json.loads(await result(engine.decide(ask(b"{}"), 5)) or b"") == limits

    asyncio.run(scenario())
