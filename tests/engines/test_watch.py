import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from extproc.core.engine import PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import load
from extproc.engines.watch import watch
from extproc.errors import PolicyLoadError, StartupError

Outcomes = asyncio.Queue[PolicyIdentity | StartupError]


def rego(answer: str) -> str:
    return f"package extproc.request\n\ndecision := {answer}\n"


def put(file: Path, text: str) -> None:
    """Write in one step, so that the watcher never sees half a file."""
    whole = file.parent.parent / "whole"
    whole.write_text(text)
    whole.replace(file)


async def answer(engine: EmbeddedEngine) -> bytes | None:
    return (await engine.decide(Question(Point.REQUEST, b"{}"), 5)).result


@asynccontextmanager
async def watched(path: Path, file: Path) -> AsyncIterator[tuple[EmbeddedEngine, Outcomes]]:
    """An engine on `path`, and what its watcher reports from when it is known to be up."""
    outcomes = Outcomes()
    entrypoints = {Point.REQUEST: "extproc/request/decision"}
    engine = EmbeddedEngine(policies=load([path], {}), entrypoints=entrypoints, threads=1)
    task = asyncio.create_task(watch(engine=engine, paths=[path], data={}, on_outcome=outcomes.put_nowait))
    try:
        while outcomes.empty():  # the watcher is up once it sees one of these; the same text twice is no news
            put(file, rego('"up"'))
            with suppress(TimeoutError):
                outcomes.put_nowait(await asyncio.wait_for(outcomes.get(), 0.5))
        assert await outcomes.get() == engine.identity()
        yield engine, outcomes
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await engine.close()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    path = tmp_path / "policies" / "request.rego"
    path.write_text(rego("0"))
    return path


@pytest.mark.parametrize("named", ["folder", "file"])
def test_a_changed_policy_takes_over(file: Path, named: str) -> None:
    async def scenario() -> None:
        async with watched(file.parent if named == "folder" else file, file) as (engine, outcomes):
            put(file, rego("1"))
            assert await outcomes.get() == engine.identity()
            assert await answer(engine) == b"1"

    asyncio.run(scenario())


def test_a_file_beside_a_policy_is_none_of_its_business(file: Path) -> None:
    async def scenario() -> None:
        async with watched(file, file) as (engine, outcomes):
            file.with_name("broken.rego").write_text("{")
            put(file, "{")  # the second change is the first that counts
            assert "request.rego" in str(await outcomes.get())
            put(file, rego("1"))
            assert await outcomes.get() == engine.identity()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda file: put(file, rego("{")), "rego_parse_error"),
        (lambda file: put(file, "package extproc.other\n\nx := 1\n"), "no policy defines the entrypoint"),
        (lambda file: file.unlink(), "hold no .rego file"),
    ],
    ids=["broken", "without_the_entrypoint", "deleted"],
)
def test_a_policy_that_does_not_load_is_reported_and_the_last_good_one_goes_on(
    file: Path, change: Callable[[Path], None], sentence: str
) -> None:
    async def scenario() -> None:
        async with watched(file.parent, file) as (engine, outcomes):
            change(file)
            outcome = await outcomes.get()
            assert isinstance(outcome, PolicyLoadError)
            assert sentence in str(outcome)
            assert await answer(engine) == b'"up"'
            put(file, rego("2"))
            assert await outcomes.get() == engine.identity()
            assert await answer(engine) == b"2"

    asyncio.run(scenario())
