import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from extproc.core.engine import Evaluation, PolicyEngine, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.demo.opa import running_opa
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.opa import OpaEngine
from extproc.engines.sources import PolicySet
from extproc.errors import (
    ConfigurationError,
    EngineError,
    EngineTimeout,
    PolicyLoadError,
)

Policies = Callable[[str], PolicySet]
Running = Callable[[PolicySet], AbstractAsyncContextManager[PolicyEngine]]
ENTRYPOINTS = {Point.REQUEST: "extproc/request/decision", Point.RESPONSE: None}
SIMPLE = "package extproc.request\n\ndecision := input.answer\n"
BOMB = "[1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j]"
BOMB_OR_ANSWER = f"package extproc.request\n\ndecision := {BOMB} if input.bomb\n\ndecision := true if not input.bomb\n"


def ask(text: bytes) -> Question:
    return Question(Point.REQUEST, text)


async def decide(engine: PolicyEngine, text: bytes, deadline_s: float = 5.0) -> Evaluation:
    return await engine.decide(ask(text), deadline_s)


@asynccontextmanager
async def connected(url: str, on_change: Callable[[PolicyIdentity], None] = print) -> AsyncIterator[OpaEngine]:
    engine = await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=on_change, refresh_s=0.02)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture(scope="module")
def opa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One OPA for the module; its bundle leaves everything but one name to what the tests put there."""
    folder = tmp_path_factory.mktemp("opa")
    (folder / "bundle").mkdir()
    (folder / "bundle" / ".manifest").write_text('{"roots": ["nothing"]}')
    with asyncio.Runner() as runner:
        server = running_opa(folder / "bundle", folder)
        yield runner.run(server.__aenter__())
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
def running(opa: str) -> Running:
    """An engine on the module's OPA, which holds nothing but the policy set."""

    @asynccontextmanager
    async def run(policies: PolicySet) -> AsyncIterator[PolicyEngine]:
        await put(opa, policies)
        async with connected(opa) as engine:
            yield engine

    return run


async def put(url: str, policies: PolicySet) -> None:
    async with aiohttp.ClientSession() as session:
        for name, text in policies.modules.items():
            async with session.put(f"{url}/v1/policies/{Path(name).name}", data=text) as answer:
                assert answer.status == 200


@asynccontextmanager
async def embedded(policies: PolicySet) -> AsyncIterator[PolicyEngine]:
    engine = EmbeddedEngine(policies=policies, entrypoints=ENTRYPOINTS)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture(params=["embedded", "opa"])
def either(request: pytest.FixtureRequest, running: Running) -> Running:
    return embedded if request.param == "embedded" else running


def test_both_engines_keep_the_table_of_engine_behaviours(
    either: Running, engine_case: Callable[[Running], None]
) -> None:
    engine_case(either)


@pytest.mark.parametrize(
    "literal", [b"1.10", b"0.1234567890123456789012345", b"1e400", b"-0", b"123456789012345678901"]
)
def test_a_number_reaches_the_policy_and_comes_back_with_its_digits(
    running: Running, policies: Policies, literal: bytes
) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            assert (await decide(engine, b'{"answer": %b}' % literal)).result == literal

    asyncio.run(scenario())


def test_an_evaluation_names_the_policy_as_the_embedded_engine_does(running: Running, policies: Policies) -> None:
    async def scenario() -> None:
        loaded = policies(SIMPLE)
        async with running(loaded) as engine, embedded(loaded) as sibling:
            evaluation = await decide(engine, b'{"answer": 42}')
            version = sibling.identity().engine_version
            known = PolicyIdentity("opa", version, "", loaded.policy_digest, "")
            unrevised = replace(known, policy_digest="")  # nothing says that these modules answered
            assert evaluation == Evaluation(b"42", unrevised, evaluation.duration_us)
            assert 0 < evaluation.duration_us < 5_000_000
            assert engine.identity() == known

    asyncio.run(scenario())


def test_an_input_of_many_megabytes_arrives(running: Running, policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies("package extproc.request\n\ndecision := count(input.text)\n")) as engine:
            assert (await decide(engine, b'{"text": "%b"}' % (b"x" * 3_000_000))).result == b"3000000"

    asyncio.run(scenario())


def test_an_error_has_the_code_of_opa_and_nothing_of_the_input(running: Running, policies: Policies) -> None:
    async def scenario() -> None:
        rego = "package extproc.request\n\ndecision := input.x\n\ndecision := input.y\n"
        async with running(policies(rego)) as engine:
            with pytest.raises(EngineError) as caught:
                await decide(engine, b'{"x": "secret", "y": "hidden"}')
            assert str(caught.value) == "eval_conflict_error"

    asyncio.run(scenario())


def test_an_input_that_is_no_json_is_an_error(running: Running, policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            for text in (b"", b"{", b'{"answer": 1} x'):
                with pytest.raises(EngineError, match=r"^invalid_parameter$"):
                    await decide(engine, text)

    asyncio.run(scenario())


def test_a_point_without_an_entrypoint_is_an_error(running: Running, policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(SIMPLE)) as engine:
            error = engine.decide(Question(Point.RESPONSE, b"{}"), 5).exception()
            assert (type(error), str(error)) == (EngineError, "no entrypoint is configured for the response point")

    asyncio.run(scenario())


def test_a_policy_that_changes_on_the_server_shows_in_the_identity(policies: Policies, opa: str) -> None:
    async def scenario() -> None:
        await put(opa, policies(SIMPLE))
        changes: asyncio.Queue[PolicyIdentity] = asyncio.Queue()
        async with connected(opa, changes.put_nowait) as engine:
            new = policies("package extproc.request\n\ndecision := 1\n")
            await put(opa, new)
            assert (await changes.get()).policy_digest == new.policy_digest
            assert (await decide(engine, b"{}")).result == b"1"

    asyncio.run(scenario())


def test_other_evaluations_go_on_beside_a_bomb(running: Running, policies: Policies) -> None:
    async def scenario() -> None:
        async with running(policies(BOMB_OR_ANSWER)) as engine:
            bomb = asyncio.create_task(decide(engine, b'{"bomb": true}', 0.5))
            answers = [(await decide(engine, b"{}")).result for _ in range(10)]
            assert (answers, bomb.done()) == ([b"true"] * 10, False)
            with pytest.raises(EngineTimeout):
                await bomb

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("rules", "defined"),
    [
        ("decision := true if input.never", True),
        ("default decision := false", True),
        ("decision contains 1 if input.never", True),
        ("decision.allowed := true", True),
        ("decision[x] := true if some x in input.names", True),
        ("verdict := true", False),
        ("decision(x) := x", False),
        ("decisions := true", False),
    ],
)
def test_an_entrypoint_that_no_policy_defines_is_named_at_the_start(
    running: Running, policies: Policies, rules: str, *, defined: bool
) -> None:
    async def scenario(run: Running) -> None:
        async with run(policies(f"package extproc.request\n\n{rules}\n")):
            pass

    if defined:
        asyncio.run(scenario(embedded))
        asyncio.run(scenario(running))
    else:
        with pytest.raises(PolicyLoadError, match=r"no policy defines the entrypoint extproc/request/decision: define"):
            asyncio.run(scenario(embedded))
        with pytest.raises(
            PolicyLoadError, match=r"^no policy of the OPA server .* entrypoint extproc/request/decision$"
        ):
            asyncio.run(scenario(running))


@pytest.mark.parametrize(
    "url", ["ftp://a", "http://", "http://user:secret@a", "http://a/opa", "http://a?b", "http://a b", "http://a:b"]
)
def test_a_url_that_the_client_cannot_reach_is_a_configuration_error(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^policy\.opa\.url must be http://HOST:PORT or https://HOST:PORT and"
    ):
        asyncio.run(OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=print))


@pytest.mark.parametrize("path", ["", "a//b", "a/../b", "a/b?explain=full", "a/b%2f", "a/1", "a.b", "ä/b", "a/b\n"])
def test_an_entrypoint_is_identifiers_and_nothing_else(path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a path such as extproc/request/decision$"):
        asyncio.run(OpaEngine.connect(url="http://a", entrypoints={Point.REQUEST: path}, on_change=print))
