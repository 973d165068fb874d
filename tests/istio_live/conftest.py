import asyncio
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from istio_live.control_plane import ControlPlane, control_plane, tools
from istio_live.stage import CLASSIC, Mesh, Servers, mesh, servers

from extproc.istio.binary import envoy_binary


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as running:
        yield running


@pytest.fixture(scope="session")
def plane(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One istiod for all; `make test-istio` says which, and with which Envoy."""
    stack = AsyncExitStack()
    built = tools(Path(os.environ["TEST_ISTIOD"]), Path(os.environ.get("TEST_ENVOY") or envoy_binary()))
    starting = control_plane(built, tmp_path_factory.mktemp("istiod"))
    yield runner.run(stack.enter_async_context(starting))
    runner.run(stack.aclose())


@pytest.fixture(scope="session")
def behind(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """One server and one application for all."""
    stack = AsyncExitStack()
    yield runner.run(stack.enter_async_context(servers(tmp_path_factory.mktemp("servers"))))
    runner.run(stack.aclose())


@pytest.fixture(scope="module")
def shop(
    request: pytest.FixtureRequest,
    plane: ControlPlane,
    behind: Servers,
    runner: asyncio.Runner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Mesh]:
    """A gateway before them; a classic one unless the test names the API."""
    stack = AsyncExitStack()
    starting = mesh(plane, behind, tmp_path_factory.mktemp("mesh"), getattr(request, "param", CLASSIC))
    yield runner.run(stack.enter_async_context(starting))
    runner.run(stack.aclose())
