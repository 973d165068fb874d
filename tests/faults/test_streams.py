"""Envoy ends its streams with us; how it does decides what they leave behind."""

import asyncio

from faults.stage import Stage, get, post, receipts_of, scripted

CONFIG: dict[str, object] = {}
DENY = '{"allowed": false}'


def test_a_stream_ends_cleanly_and_is_not_reset(stage: Stage, runner: asyncio.Runner) -> None:
    """A reset stream costs a grpc server memory for good (docs/performance.md)."""

    async def exchanges() -> tuple[int, int]:
        denied = get(*scripted(decide_request=DENY)), post(b"{}", *scripted(decide_response=DENY))
        for request in (get(), post(b"{}"), *denied):
            await stage.send(request)
        await receipts_of(stage.log, 7)
        ended = "cluster.extproc.upstream_rq_"
        return await stage.stat(f"{ended}completed"), await stage.stat(f"{ended}tx_reset")

    assert runner.run(exchanges()) == (4, 0)


def test_more_headers_than_envoy_counts_are_its_503_after_our_allow(stage: Stage, runner: asyncio.Runner) -> None:
    """What we add counts too: 100 in all, `:method` and its like, the ids and Envoy's own among them (docs/wire.md)."""

    async def exchange(count: int) -> tuple[int, bool, str, int]:
        stage.recorder.seen.clear()
        answer = await stage.send(get(*((f"x-h{number}", "1") for number in range(count))))
        first, *_ = await receipts_of(stage.log, 1)
        identified = "x-extproc-receipt-id" in dict(answer.headers)
        return answer.status, identified, first["decision"]["verdict"], len(stage.recorder.seen)

    assert runner.run(exchange(95)) == (503, False, "allow", 0)
    assert runner.run(exchange(80)) == (200, True, "allow", 1)
