"""Each folder of examples/ does what its README says."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from conformance.real import Log
from istio_live.control_plane import ControlPlane
from istio_live.gateway import Gateway
from istio_live.readme import EXAMPLES, Step, carried_out, steps
from istio_live.stories import plain, story

MOST_LINES = 40
MESH = ["quickstart", "jwt", "streams", "rate-limit"]


@pytest.fixture
def example(
    request: pytest.FixtureRequest,
    plane: ControlPlane,
    runner: asyncio.Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Gateway, Log]]:
    """The mesh of one example."""
    stack = AsyncExitStack()
    yield runner.run(stack.enter_async_context(story(plane, request.param, tmp_path_factory.mktemp("story"))))
    runner.run(stack.aclose())


@pytest.mark.parametrize("example", MESH, indirect=True)
def test_an_example_does_what_its_readme_shows(
    request: pytest.FixtureRequest, runner: asyncio.Runner, example: tuple[Gateway, Log]
) -> None:
    wanted = steps(request.node.callspec.params["example"], "Verify")
    assert wanted
    assert runner.run(carried_out(wanted, {"GATEWAY": f"http://{example[0].address}"})) == wanted


def test_the_plain_envoy_does_what_its_readme_shows(runner: asyncio.Runner, tmp_path: Path) -> None:
    wanted = steps("plain-envoy", "Verify")

    async def play() -> list[Step]:
        async with plain("plain-envoy", tmp_path) as envoy:
            return await carried_out(wanted, {"GATEWAY": f"http://{envoy.address}"})

    assert wanted
    assert runner.run(play()) == wanted


@pytest.mark.parametrize("name", sorted(folder.name for folder in EXAMPLES.glob("[!.]*")))
def test_the_readme_of_an_example_is_short_and_says_how_to_go_back(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES
    assert all(section in text for section in ("\n## Apply\n", "\n## Verify\n", "\n## Tear down\n", "| you see |"))
