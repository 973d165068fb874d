"""A gRPC client is denied in gRPC's own words."""

import asyncio
import json

import grpc.aio
import pytest
from faults.stage import Stage, scripted

CONFIG: dict[str, object] = {}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, grpc.StatusCode.UNAUTHENTICATED),
        (403, grpc.StatusCode.PERMISSION_DENIED),
        (404, grpc.StatusCode.INVALID_ARGUMENT),
        (413, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (429, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
def test_a_denied_call_has_the_status_and_the_message_of_the_denial(
    stage: Stage, runner: asyncio.Runner, status: int, expected: grpc.StatusCode
) -> None:
    decision = json.dumps({"allowed": False, "http_status": status, "body": "Not for you, 100%"})
    assert runner.run(call(stage, scripted(decide_request=decision))) == (expected, "Not for you, 100%")
    assert stage.recorder.seen == []


def test_our_own_failure_is_unavailable(stage: Stage, runner: asyncio.Runner) -> None:
    code, details = runner.run(call(stage, scripted(trouble_request="conflict")))
    assert (code, details) == (grpc.StatusCode.UNAVAILABLE, "The request could not be decided")


async def call(stage: Stage, metadata: tuple[tuple[str, str], ...]) -> tuple[grpc.StatusCode, str]:
    """The end of a unary call that the gateway refuses."""
    async with grpc.aio.insecure_channel(stage.envoy.address) as channel:
        method = channel.unary_unary("/shop.Orders/Create")
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await method(b"\x0a\x01a", metadata=metadata)
    assert "x-extproc-receipt-id" in dict(raised.value.initial_metadata()) | dict(raised.value.trailing_metadata())
    return raised.value.code(), raised.value.details()
