import asyncio
from collections.abc import Awaitable, Callable

import pytest

from extproc.server.alarms import Alarms

FAR_S = 3_600.0


def run(scenario: Callable[[Alarms, asyncio.AbstractEventLoop], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(Alarms(), asyncio.get_running_loop())

    asyncio.run(main())


def test_what_comes_in_time_is_given() -> None:
    async def scenario(alarms: Alarms, loop: asyncio.AbstractEventLoop) -> None:
        assert await alarms.by(loop.time() + FAR_S, asyncio.sleep(0, "here")) == "here"

    run(scenario)


def test_what_does_not_come_is_cancelled_and_the_task_goes_on() -> None:
    async def scenario(alarms: Alarms, loop: asyncio.AbstractEventLoop) -> None:
        never = loop.create_future()
        with pytest.raises(TimeoutError):
            await alarms.by(loop.time() + 0.01, never)
        assert never.cancelled()
        assert await alarms.by(loop.time() + FAR_S, asyncio.sleep(0, "here")) == "here"

    run(scenario)


def test_an_error_is_raised_as_it_is() -> None:
    async def scenario(alarms: Alarms, loop: asyncio.AbstractEventLoop) -> None:
        failed = loop.create_future()
        failed.set_exception(ValueError("no"))
        with pytest.raises(ValueError, match="no"):
            await alarms.by(loop.time() + FAR_S, failed)

    run(scenario)


def test_an_earlier_time_rings_first_and_each_that_is_due_rings() -> None:
    async def scenario(alarms: Alarms, loop: asyncio.AbstractEventLoop) -> None:
        def wait(after_s: float) -> asyncio.Task[object]:
            return asyncio.create_task(alarms.by(loop.time() + after_s, loop.create_future()))

        far, *near = wait(FAR_S), wait(0.02), wait(0.01), wait(0.01)
        ended = await asyncio.gather(*near, return_exceptions=True)
        assert ([type(error) for error in ended], far.done()) == ([TimeoutError] * 3, False)
        far.cancel()
        with pytest.raises(asyncio.CancelledError):
            await far

    run(scenario)


@pytest.mark.parametrize("rung", [False, True])
def test_a_task_that_somebody_cancels_stays_cancelled(rung: bool) -> None:  # noqa: FBT001 - pytest's parameter
    async def scenario(alarms: Alarms, loop: asyncio.AbstractEventLoop) -> None:
        task = asyncio.create_task(alarms.by(loop.time() + (0 if rung else FAR_S), loop.create_future()))
        await asyncio.sleep(0)
        loop.call_at(loop.time(), task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario)


def test_only_a_task_can_wait() -> None:
    async def scenario(alarms: Alarms, loop: asyncio.AbstractEventLoop) -> None:
        refused = loop.create_future()

        def call() -> None:
            with pytest.raises(RuntimeError, match="only a task can wait") as raised:
                alarms.by(0.0, refused).send(None)
            refused.set_result(raised)

        loop.call_soon(call)
        await refused

    run(scenario)
