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
