import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from faults.stage import Stage, faulty_stage


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """One gateway and one server for the tests of a module, with the module's CONFIG."""
    stack = AsyncExitStack()
    starting = faulty_stage(tmp_path_factory.mktemp("stage"), request.module.CONFIG)
    yield runner.run(stack.enter_async_context(starting))
    runner.run(stack.aclose())


@pytest.fixture(autouse=True)
def _forget(request: pytest.FixtureRequest) -> None:
    """Each test reads only what it caused itself."""
    if "stage" in request.fixturenames:
        stage: Stage = request.getfixturevalue("stage")
        stage.recorder.seen.clear()
        stage.log.news()
