"""The service profile: a mesh has no health check of ours, so an endpoint that is gone is found by an exchange."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import betterproto2
import pytest
from conformance.exchange import Message
from faults.stage import Stage, faulty_stage, get, post, receipts_of, unreceipted

from extproc.demo import envoy as demo_envoy
from extproc.istio.attachment import Attachment, ClassicGateway
from extproc.istio.patches import remote

EXCHANGES = 24


def as_in_a_mesh(config: str, dead: str, *, retries: bool) -> str:
    """The same bootstrap without active health checks, and with a second endpoint that nobody listens at."""
    document = json.loads(config)
    cluster = document["static_resources"]["clusters"][0]
    del cluster["health_checks"]
    cluster["load_assignment"]["endpoints"][0]["lb_endpoints"].append(
        {"endpoint": {"address": {"pipe": {"path": dead}}}}
    )
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (processor,) = (one["typed_config"] for one in manager["http_filters"] if one["name"] == "extproc.policy")
    service = remote(Attachment(gateway=ClassicGateway("istio-system", "gateway", (("istio", "gateway"),))))
    policy = service.to_dict(casing=betterproto2.Casing.SNAKE)["retry_policy"]
    processor["grpc_service"] |= {"retry_policy": policy} if retries else {}
    return json.dumps(document)


@pytest.fixture(params=[True, False], ids=["with retries", "without retries"])
def retries(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    plain = demo_envoy.to_json
    dead = str(tmp_path / "dead.sock")
    monkeypatch.setattr(
        demo_envoy, "to_json", lambda bootstrap: as_in_a_mesh(plain(bootstrap), dead, retries=request.param)
    )
    return request.param


async def statuses(stage: Stage) -> list[int]:
    requests = [get(), post(b'{"a": 1}')] * (EXCHANGES // 2)
    return [(await stage.send(request)).status for request in requests]


def test_an_endpoint_that_is_gone_costs_no_exchange_with_retries_and_is_a_denial_without(
    tmp_path: Path, *, retries: bool
) -> None:
    async def play() -> tuple[list[int], list[dict], list[Message]]:
        async with faulty_stage(tmp_path, {}) as stage:
            seen = await statuses(stage)
            return seen, await receipts_of(stage.log, 2 * seen.count(200)), stage.recorder.seen

    seen, receipts, reached = asyncio.run(play())

    assert set(seen) == ({200} if retries else {200, 503})
    assert len(receipts) == 2 * seen.count(200)
    assert len(reached) == seen.count(200)
    assert unreceipted(reached, receipts) == []
