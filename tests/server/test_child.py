"""One supervised process, by what it says and how it ends."""

import asyncio
import os
import resource
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from server import processes
from server.serving import until

from extproc.server.child import Child
from extproc.server.control import ChildEnd


class Watched:
    """A child, and what it made the supervisor hear."""

    def __init__(self, target: Callable[[ChildEnd], None]) -> None:
        self.failures: list[str] = []
        self.deaths: list[int] = []
        self.child = Child("child", target, on_failure=self.failures.append, on_death=self.deaths.append)

    async def says(self, *, address: str | None = None, problem: str | None = None) -> bool:
        child = self.child
        return (address is None or child.address.startswith(address)) and (problem is None or child.problem == problem)


def play(target: Callable[[ChildEnd], None], script: Callable[[Watched], Awaitable[None]]) -> Watched:
    async def run() -> Watched:
        watched = Watched(target)
        watched.child.start()
        await script(watched)
        return watched

    return asyncio.run(run())


def test_it_is_starting_then_ready_then_drained() -> None:
    async def script(watched: Watched) -> None:
        assert watched.child.problem == "starting"
        await until(lambda: watched.says(address="pid ", problem=""))
        await watched.child.drain(10)
        assert watched.child.problem == "draining"
        await watched.child.drain(10)  # again is no harm

    watched = play(processes.ready_until_told, script)
    assert (watched.failures, len(watched.deaths)) == ([], 1)


def test_it_says_why_it_is_not_ready() -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(problem="told to"))
        await watched.child.drain(10)

    play(processes.not_ready, script)


def test_it_comes_back_when_it_dies() -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(address="pid ", problem=""))
        first = int(watched.child.address.removeprefix("pid "))
        os.kill(first, signal.SIGKILL)
        await until(lambda: watched.says(problem="restarting"))
        await until(lambda: watched.says(problem=""))
        assert watched.child.address != f"pid {first}"
        assert watched.deaths == [first]
        await watched.child.drain(10)

    assert play(processes.ready_until_told, script).failures == []


def test_it_comes_back_once_the_machine_has_room_for_it_again() -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(address="pid ", problem=""))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # no descriptor for a pipe
        try:
            os.kill(int(watched.child.address.removeprefix("pid ")), signal.SIGKILL)
            await until(lambda: watched.says(problem="cannot be restarted"))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await until(lambda: watched.says(problem=""))
        await watched.child.drain(10)

    assert play(processes.ready_until_told, script).failures == []


def test_a_child_that_cannot_start_ends_the_supervisor_and_is_not_tried_again() -> None:
    async def script(watched: Watched) -> None:
        async def ended() -> bool:
            return bool(watched.deaths)

        await until(ended)
        assert watched.child.problem == "name another port"
        await watched.child.drain(10)

    watched = play(processes.cannot_start, script)
    assert (watched.failures, len(watched.deaths)) == (["name another port"], 1)


def test_a_child_that_served_once_is_tried_again_whatever_it_says(tmp_path: Path) -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(problem=""))
        os.kill(int(watched.child.address.removeprefix("pid ")), signal.SIGKILL)

        async def tried() -> bool:
            return len(watched.deaths) >= 3

        await until(tried)
        (tmp_path / "mark").unlink()
        await until(lambda: watched.says(problem=""))
        await watched.child.drain(10)

    watched = play(partial(processes.fails_the_second_time, tmp_path / "mark"), script)
    assert watched.failures == []


def test_a_child_that_does_not_finish_is_killed() -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(problem=""))
        await watched.child.drain(0.1)

    assert len(play(processes.deaf, script).deaths) == 1


def test_a_child_that_is_killed_is_not_started_again() -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(problem=""))
        await watched.child.kill()
        await watched.child.kill()  # again is no harm

    assert len(play(processes.deaf, script).deaths) == 1


def test_a_drain_during_the_pause_before_a_restart_starts_nothing() -> None:
    async def script(watched: Watched) -> None:
        await until(lambda: watched.says(address="pid ", problem=""))
        os.kill(int(watched.child.address.removeprefix("pid ")), signal.SIGKILL)
        await until(lambda: watched.says(problem="restarting"))
        await watched.child.drain(10)

    assert len(play(processes.ready_until_told, script).deaths) == 1
