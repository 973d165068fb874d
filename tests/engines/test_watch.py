import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from engines.kubelet import Mount

from extproc.core.engine import PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import PolicySet, load
from extproc.engines.watch import watch
from extproc.errors import PolicyLoadError, StartupError

PERIOD_S = 0.01

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
async def watched(path: Path) -> AsyncIterator[tuple[EmbeddedEngine, Outcomes]]:
    """An engine on `path`, and what its watcher reports."""
    outcomes = Outcomes()
    entrypoints = {Point.REQUEST: "extproc/request/decision"}
    engine = EmbeddedEngine(policies=load([path], {}), entrypoints=entrypoints, threads=1)
    task = asyncio.create_task(
        watch(engine=engine, paths=[path], data={}, on_outcome=outcomes.put_nowait, period_s=PERIOD_S)
    )
    try:
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
        async with watched(file.parent if named == "folder" else file) as (engine, outcomes):
            put(file, rego("1"))
            assert await outcomes.get() == engine.identity()
            assert await answer(engine) == b"1"

    asyncio.run(scenario())


def test_a_file_beside_a_policy_is_none_of_its_business(file: Path) -> None:
    async def scenario() -> None:
        async with watched(file) as (engine, outcomes):
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
        async with watched(file.parent) as (engine, outcomes):
            change(file)
            outcome = await outcomes.get()
            assert isinstance(outcome, PolicyLoadError)
            assert sentence in str(outcome)
            assert await answer(engine) == b"0"
            put(file, rego("2"))
            assert await outcomes.get() == engine.identity()
            assert await answer(engine) == b"2"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("policies/request.rego", "policies"),
        ("policies/request.rego", "policies/request.rego"),
        ("request.rego", "request.rego"),
        ("request.rego", "."),
    ],
)
def test_every_swap_of_a_mounted_config_map_is_seen(tmp_path: Path, key: str, named: str) -> None:
    mount = Mount(tmp_path / "mount")
    mount.write({key: rego("0")})

    async def scenario() -> None:
        async with watched(mount.folder / named) as (engine, outcomes):
            for version in range(1, 5):
                mount.write({key: rego("{")})
                assert isinstance(await outcomes.get(), PolicyLoadError)
                mount.write({key: rego(str(version))})
                assert await outcomes.get() == engine.identity()
                assert await answer(engine) == str(version).encode()

    asyncio.run(scenario())


def test_a_folder_that_is_deleted_and_made_again_is_seen(file: Path) -> None:
    async def scenario() -> None:
        async with watched(file.parent) as (engine, outcomes):
            file.parent.rename(file.parent.with_name("away"))
            assert "does not exist" in str(await outcomes.get())
            file.parent.mkdir()
            put(file, rego("1"))
            while isinstance(await outcomes.get(), StartupError):  # the folder was seen empty before
                pass
            assert await answer(engine) == b"1"

    asyncio.run(scenario())


def test_what_changed_while_the_engine_started_is_seen(file: Path) -> None:
    async def scenario() -> None:
        async with watched(file.parent) as (engine, outcomes):
            put(file, rego("1"))  # before the watcher has had its first turn
            assert await outcomes.get() == engine.identity()
            assert await answer(engine) == b"1"

    asyncio.run(scenario())


def test_what_changes_while_it_is_read_is_read_again_and_half_of_it_never_decides(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[PolicySet] = []

    def interrupted(paths: Sequence[Path], data: Mapping[str, object], _keys: None) -> PolicySet:
        read.append(load(paths, data))
        if len(read) == 1:
            put(file, rego("2"))
        return read[-1]

    monkeypatch.setattr("extproc.engines.watch.load", interrupted)

    async def scenario() -> None:
        async with watched(file.parent) as (engine, outcomes):
            put(file, rego("1"))
            assert await outcomes.get() == engine.identity()
            assert await answer(engine) == b"2"
            assert outcomes.empty()

    asyncio.run(scenario())
    assert [set(each.modules.values()) for each in read] == [{rego("1")}, {rego("2")}]
