"""Who awaits a body may be given up for another, whoever has waited longest first."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry
from server.loop import ANSWER, GET, Bench, Conversation

from extproc.server.alarms import Alarms
from extproc.server.waiting import Waiting
from extproc.telemetry.metrics import metrics


class Room:
    """Some who wait, each for a message that comes when it is told to."""

    def __init__(self, limit_s: float = 60) -> None:
        self.registry = CollectorRegistry()
        self.waiting = Waiting(alarms=Alarms(), metrics=metrics(self.registry), limit_s=limit_s)
        self.messages: list[asyncio.Future[bytes | None]] = []

    async def enter(self) -> asyncio.Task[bytes | None]:
        """One more who waits."""
        message = asyncio.get_running_loop().create_future()
        self.messages.append(message)

        async def read() -> bytes | None:
            return await message

        task = asyncio.create_task(self.waiting.wait(read))
        await asyncio.sleep(0)
        return task

    def given_up(self) -> float | None:
        return self.registry.get_sample_value("extproc_exchanges_given_up_total")


def play(script: Callable[[Room], Awaitable[None]], limit_s: float = 60) -> Room:
    async def run() -> Room:
        room = Room(limit_s)
        await script(room)
        return room

    return asyncio.run(run())


def test_the_one_that_waits_longest_is_given_up_first(caplog: pytest.LogCaptureFixture) -> None:
    async def script(room: Room) -> None:
        first, second = await room.enter(), await room.enter()
        assert room.waiting.give_up_longest()
        assert await first is None
        assert not second.done()
        room.messages[1].set_result(b"whole")
        assert await second == b"whole"

    assert play(script).given_up() == 1
    assert [record.getMessage() for record in caplog.records] == ["a body is awaited no longer: others need its place"]


def test_a_message_begins_the_waiting_anew() -> None:
    async def script(room: Room) -> None:
        first, second = await room.enter(), await room.enter()
        room.messages[0].set_result(b"a piece")
        assert await first == b"a piece"
        again = await room.enter()
        assert room.waiting.give_up_longest()
        assert await second is None
        assert not again.done()
        again.cancel()

    play(script)


@pytest.mark.parametrize("left", ["answered", "cancelled", "given up", "late"])
def test_who_waits_no_more_is_not_given_up(left: str) -> None:
    async def script(room: Room) -> None:
        task = await room.enter()
        if left == "answered":
            room.messages[0].set_result(None)
        elif left == "cancelled":
            task.cancel()
        elif left == "given up":
            assert room.waiting.give_up_longest()
        await asyncio.gather(task, return_exceptions=True)
        assert not room.waiting.give_up_longest()

    assert play(script, limit_s=0.01 if left == "late" else 60).given_up() == (left == "given up")


def test_a_message_that_comes_in_the_moment_of_giving_up_is_late() -> None:
    """The place is promised to another, who would wait for it in vain."""

    async def script(room: Room) -> None:
        task = await room.enter()
        room.messages[0].set_result(b"whole")
        assert room.waiting.give_up_longest()
        assert await task is None

    play(script)


def test_who_is_given_up_goes_though_its_reader_answers_all_the_same() -> None:
    async def script(room: Room) -> None:
        async def read() -> bytes | None:
            try:
                return await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                return b"whole"

        task = asyncio.create_task(room.waiting.wait(read))
        await asyncio.sleep(0)
        assert room.waiting.give_up_longest()
        assert await task is None

    play(script)


def test_one_whose_time_is_over_in_that_moment_goes_as_well(caplog: pytest.LogCaptureFixture) -> None:
    async def script(room: Room) -> None:
        task = await room.enter()
        await asyncio.sleep(0)  # its time is over, and it has not run yet
        assert room.waiting.give_up_longest()
        assert await task is None

    play(script, limit_s=0)
    assert len(caplog.records) == 1


def test_an_exchange_is_given_up_for_another_only_where_it_awaits_a_body() -> None:
    """An upstream may take its time: what has come whole is not lost for others."""
    bench = Bench()

    async def script(envoy: Conversation) -> None:
        await envoy.ask(GET)
        await asyncio.sleep(0)
        assert not bench.service.make_room()
        await envoy.ask(ANSWER)
        await asyncio.sleep(0)
        assert bench.service.make_room()

    assert bench.play(script) is False
    assert bench.ledger.reasons() == [("allow", ()), ("error", ("not_sent",))]
