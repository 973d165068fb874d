"""No receipt, no allow: the log cannot be written, and later it can again."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.stage import Stage, code, faulty_stage, get, receipts_of, scripted, unreceipted
from server.serving import health, until

from extproc.evidence.keys import load_key_ring
from extproc.evidence.verify import verify_logs


@contextmanager
def full_disk(stage: Stage) -> Iterator[None]:
    """No file of the worker may grow any more, as on a disk that is full."""
    (worker,) = stage.server.children()["worker"]
    soft, hard = resource.prlimit(worker, resource.RLIMIT_FSIZE)
    resource.prlimit(worker, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (soft, hard))


def test_an_unwritable_log_closes_the_gateway_until_it_can_be_written_again(tmp_path: Path) -> None:
    async def play() -> None:
        async with faulty_stage(tmp_path, {}) as stage:
            assert (await stage.send(get())).status == 200
            with full_disk(stage):
                answers = [
                    await stage.send(get()),
                    await stage.send(get(*scripted(decide_request='{"allowed": false}'))),
                ]
                assert [(answer.status, code(answer)) for answer in answers] == [
                    (503, "evidence_unwritable"),
                    (403, "policy_deny"),
                ]
                assert not any("x-extproc-receipt-id" in dict(answer.headers) for answer in answers)
                await until(lambda: _is_not(stage.server.ready()))
                assert (await stage.server.workers())[0]["problem"] == "receipts cannot be written"
                assert await health(stage.socket) == "NOT_SERVING"
                assert len(stage.recorder.seen) == 1
            await until(stage.server.ready)
            assert await health(stage.socket) == "SERVING"

            async def served() -> bool:
                return (await stage.send(get())).status == 200  # once Envoy's own health check has seen it

            await until(served)
            receipts = await receipts_of(stage.log, 4)
            assert unreceipted(stage.recorder.seen, receipts) == []
            lost = 'extproc_engine_errors_total{code="evidence_unwritable"}'
            assert await stage.server.metric(lost) == 2
            pinned = tmp_path / "pinned.jwks"
            pinned.write_text((await stage.server.get("/jwks.json"))[1])
            assert verify_logs([tmp_path / "evidence" / "wal"], load_key_ring(pinned)).receipts == len(receipts)

    asyncio.run(play())


def test_an_operator_may_let_traffic_pass_without_evidence(tmp_path: Path) -> None:
    async def play() -> None:
        async with faulty_stage(tmp_path, {"evidence": {"on_failure": "allow"}}) as stage:
            assert (await stage.send(get())).status == 200  # the files of the metrics are there now
            with full_disk(stage):
                for _ in range(2):
                    answer = await stage.send(get())
                    assert (answer.status, dict(answer.headers).get("x-extproc-verdict")) == (200, "allow")
                    # Longer than Envoy's health check needs to give up a worker that is not ready.
                    await until(lambda: _at_least(stage.stat("cluster.extproc.health_check.success"), 4))
                denied = await stage.send(get(*scripted(decide_request='{"allowed": false}')))
                assert (denied.status, await stage.server.ready()) == (403, True)
                assert (
                    len(unreceipted(stage.recorder.seen, stage.log.news())) == 2
                )  # the oracle sees what the operator chose
                lost = 'extproc_engine_errors_total{code="evidence_unwritable"}'
                assert await stage.server.metric(lost) == 5

    asyncio.run(play())


async def _is_not(answer: object) -> bool:
    return not await answer  # type: ignore[misc]  # a coroutine


async def _at_least(answer: object, count: int) -> bool:
    return int(await answer) >= count  # type: ignore[misc]  # a coroutine
