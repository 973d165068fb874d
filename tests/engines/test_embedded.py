import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from engines.asking import BOMB, SIMPLE, Policies, Running, ask, outcome, result, running
from release.pins import OPA_VERSION

from extproc.core.engine import Evaluation, PolicyEngine, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.errors import EngineError, PolicyLoadError


def test_it_keeps_the_table_of_engine_behaviours(engine_case: Callable[[Running], None]) -> None:
    engine_case(running)


def test_an_evaluation_names_the_policy_and_its_own_duration(policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies(SIMPLE)
        async with running(loaded) as engine:
            evaluation = await engine.decide(ask(b'{"answer": 42}'), 5)
            identity = PolicyIdentity("embedded", OPA_VERSION, "", loaded.policy_digest, loaded.data_digest)
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


def test_a_point_without_an_entrypoint_is_an_error(policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            error = await outcome(engine.decide(Question(Point.RESPONSE, b"{}"), 5))
            assert (type(error), str(error)) == (EngineError, "no entrypoint is configured for the response point")

    asyncio.run(scenario())


def test_a_replaced_policy_decides_from_then_on_and_a_broken_one_never(policies: Policies) -> None:
    async def scenario() -> None:
        old = policies(SIMPLE)
        async with running(old) as engine:
            new = policies('package extproc.request\n\ndecision := "new"\n')
            assert (engine.serves(old), engine.serves(new)) == (True, False)
            engine.replace(new)
            evaluation = await engine.decide(ask(b'{"answer": 1}'), 5)
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
            evaluations = [await future for future in open_ones]
            answers = [(evaluation.result, evaluation.policy.policy_digest) for evaluation in evaluations]
            assert answers == [(b"700", old.policy_digest)] * 4

    asyncio.run(scenario())


def test_where_only_data_changed_nothing_is_compiled(policies: Policies) -> None:
    async def scenario() -> None:
        old = policies("package extproc.request\n\ndecision := data.limit\n")
        async with running(replace(old, data=b'{"limit": 1}', data_digest="one")) as engine:
            open_one = engine.decide(ask(b"{}"), 5)
            engine.replace(replace(old, data=b'{"limit": 2}', data_digest="two"))
            evaluations = [await future for future in (open_one, engine.decide(ask(b"{}"), 5))]
            assert [(one.result, one.policy.data_digest) for one in evaluations] == [(b"1", "one"), (b"2", "two")]
            with pytest.raises(PolicyLoadError, match="conflicting rule for data path extproc/request/decision"):
                engine.replace(replace(old, data=b'{"extproc": {"request": {"decision": 1}}}', data_digest="three"))
            assert await result(engine.decide(ask(b"{}"), 5)) == b"2"

    asyncio.run(scenario())
