"""An engine that hangs or fails is answered by us, before Envoy gives up, and harms nobody else."""

import asyncio
from pathlib import Path

import pytest
from conformance.exchange import Message
from conformance.real import POLICY
from faults.stage import Stage, code, get, post, receipts_of, scripted, unreceipted
from server.serving import until

LOOPS = Path(__file__).parent / "policy"
CONFIG: dict[str, object] = {
    "policy": {"paths": [str(POLICY), str(LOOPS)], "deadline_ms": 150},
    "envoy": {"message_timeout_ms": 2000},
}


@pytest.mark.parametrize("point", ["request", "response"])
def test_a_policy_that_never_ends_is_a_denial_before_envoys_timeout(
    stage: Stage, runner: asyncio.Runner, point: str
) -> None:
    async def play() -> list[tuple[int, str]]:
        hanging = [stage.send(get(*scripted(**{f"trouble_{point}": "loop"}))) for _ in range(2)]
        return [(answer.status, code(answer)) for answer in await asyncio.gather(*hanging)]

    answers = runner.run(play())
    receipts = runner.run(receipts_of(stage.log, 2 if point == "request" else 4))
    assert answers == [(503, "engine_timeout")] * 2
    assert unreceipted(stage.recorder.seen, receipts) == []
    assert len(stage.recorder.seen) == (0 if point == "request" else 2)
    assert runner.run(stage.stat("ext_proc.extproc.message_timeouts")) == 0


def test_a_crowd_of_hanging_decisions_is_shed_and_the_next_exchange_is_served(
    stage: Stage, runner: asyncio.Runner
) -> None:
    async def play() -> tuple[set[tuple[int, str]], tuple[int, str]]:
        crowd = await asyncio.gather(*(stage.send(get(*scripted(trouble_request="loop"))) for _ in range(24)))
        # The estimate of the wait remembers the crowd, so the first one after it may be shed too.
        after = await until(lambda: not_shed(stage))
        return {(answer.status, code(answer)) for answer in crowd}, (after.status, code(after))

    crowd, after = runner.run(play())
    assert crowd <= {(503, "engine_timeout"), (503, "overloaded")}
    assert after == (200, "{'ok': True}")
    receipts = runner.run(receipts_of(stage.log, 26))
    assert unreceipted(stage.recorder.seen, receipts) == []
    assert runner.run(stage.stat("ext_proc.extproc.message_timeouts")) == 0


@pytest.mark.parametrize("point", ["request", "response"])
def test_a_policy_that_fails_is_a_denial(stage: Stage, runner: asyncio.Runner, point: str) -> None:
    answer = runner.run(stage.send(get(*scripted(**{f"trouble_{point}": "conflict"}))))
    assert (answer.status, code(answer)) == (503, "engine_error")


async def not_shed(stage: Stage) -> Message | None:
    """The answer to an innocent request, unless there was no place for it."""
    answer = await stage.send(post(b'{"a": 1}'))
    return None if answer.status == 503 else answer
