"""Budgets that are full, clients that go away: nothing is lost, nothing is held."""

import asyncio
from collections import Counter

import grpc.aio
import pytest
from faults.stage import Stage, code, get, post, receipts_of, unreceipted
from server.serving import GET, Stream, until

from extproc.server.translation import STREAMS

BODY = 64 << 10
BUDGET = 1 << 20
CONFIG: dict[str, object] = {"inspection": {"memory_bytes": BUDGET, "request_body_bytes": BODY}}
CUTS, AT_ONCE = 200, 50
HELD, IN_FLIGHT = "extproc_body_bytes_held", "extproc_exchanges_in_flight"
GIVEN_UP = "extproc_exchanges_given_up_total"


@pytest.mark.parametrize("way_out", ["finish", "cancel"])
def test_a_full_budget_sheds_new_bodies_and_is_given_back(stage: Stage, runner: asyncio.Runner, way_out: str) -> None:
    async def play() -> tuple[list[tuple[int, str]], float]:
        async with grpc.aio.insecure_channel(stage.socket) as channel:
            streams = [Stream(channel) for _ in range(BUDGET // BODY)]
            for stream in streams:
                await stream.ask(request_headers={"headers": {"headers": GET}})
                await stream.ask(request_body={"body": b"x" * BODY})
            shed = await stage.send(post(b'{"a": 1}'))
            await until(lambda: _equal(stage.server.metric(HELD), BUDGET))
            for stream in streams:
                if way_out == "finish":
                    await stream.ask(request_trailers={})
                    await stream.end()
                else:
                    stream.call.cancel()
        await until(lambda: _equal(stage.server.metric(HELD), 0))
        served = await stage.send(post(b'{"a": 1}'))
        return [(shed.status, code(shed)), (served.status, code(served))], await stage.server.metric(HELD)

    assert runner.run(play()) == ([(503, "overloaded"), (200, "{'ok': True}")], 0)


def test_clients_that_leave_in_mid_body_leave_one_receipt_each_and_nothing_else(
    stage: Stage, runner: asyncio.Runner
) -> None:
    head = b"POST / HTTP/1.1\r\nhost: gateway.test\r\ncontent-length: 1000\r\n\r\nnot all of it"

    async def cut() -> None:
        host, _, port = stage.envoy.address.rpartition(":")
        clients = [await asyncio.open_connection(host, int(port)) for _ in range(AT_ONCE)]
        for _, writer in clients:
            writer.write(head)
        await until(lambda: _equal(stage.server.metric(IN_FLIGHT), AT_ONCE))
        for _, writer in clients:
            writer.transport.abort()
        await until(lambda: _equal(stage.server.metric(IN_FLIGHT), 0))

    async def play() -> list[dict]:
        for _ in range(CUTS // AT_ONCE):
            await cut()
        return await receipts_of(stage.log, CUTS)

    receipts = runner.run(play())
    kinds = Counter((one["phase"], one["decision"]["verdict"], *one["decision"]["reasons"]) for one in receipts)
    assert kinds == {("request", "error", "stream_ended"): CUTS}
    assert len({one["request"]["id"] for one in receipts}) == CUTS
    assert (stage.recorder.seen, unreceipted(stage.recorder.seen, receipts)) == ([], [])
    assert runner.run(stage.server.metric(IN_FLIGHT)) == 0


def test_bodies_that_never_come_do_not_keep_others_out(stage: Stage, runner: asyncio.Runner) -> None:
    """More of them than a worker has places, each a connection of its own: no limit of one helps here."""
    head = b"POST / HTTP/1.1\r\nhost: gateway.test\r\ncontent-length: 1000\r\n\r\n"
    others = 20

    async def play() -> tuple[list[int], float]:
        host, _, port = stage.envoy.address.rpartition(":")
        idle = []
        for _ in range(STREAMS + others):
            idle.append((await asyncio.open_connection(host, int(port)))[1])
            idle[-1].write(head)
        await until(lambda: _equal(stage.server.metric(GIVEN_UP), others))
        answers = [(await stage.send(request)).status for request in (get(), post(b'{"a": 1}'))]
        given_up = await stage.server.metric(GIVEN_UP)
        for writer in idle:
            writer.transport.abort()
        await until(lambda: _equal(stage.server.metric(IN_FLIGHT), 0))
        return answers, given_up

    answers, given_up = runner.run(play())
    # The second may have the place of the first.
    assert (answers, given_up - others in {1, 2}) == ([200, 200], True)
    receipts = runner.run(receipts_of(stage.log, STREAMS + others + 4))
    states = Counter((one["request"]["inspection"], *one["decision"].get("reasons", ())) for one in receipts)
    assert states[("not_sent", "stream_ended")] == STREAMS + others
    assert unreceipted(stage.recorder.seen, receipts) == []


async def _equal(answer: object, wanted: float) -> bool:
    return float(await answer) == wanted  # type: ignore[misc]  # a coroutine
