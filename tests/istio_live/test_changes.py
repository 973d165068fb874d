"""What changes under a running gateway."""

import asyncio
import copy

from faults.stage import get
from istio_live.stage import Mesh
from istio_live.test_mistakes import ENFORCED, OPEN, outcome


def _timeouts(listeners: list) -> list[str]:
    """`message_timeout` of our filter in every chain that serves."""
    found = []
    for listener in listeners:
        for chain in listener.get("active_state", {}).get("listener", {}).get("filter_chains", []):
            filters = chain["filters"][-1]["typed_config"]["http_filters"]
            found += [one["typed_config"]["message_timeout"] for one in filters if one["name"] == "extproc.policy"]
    return found


def _with_timeout(shop: Mesh, duration: str) -> dict:
    changed = copy.deepcopy(shop.attachment)
    for patch in changed["spec"]["configPatches"]:
        if patch["patch"]["value"].get("name") == "extproc.policy":
            patch["patch"]["value"]["typed_config"]["message_timeout"] = duration
    return changed


def test_a_changed_filter_reaches_a_gateway_that_serves_without_a_failed_request(
    runner: asyncio.Runner, shop: Mesh
) -> None:
    async def play() -> tuple[list[str], set[int]]:
        statuses: set[int] = set()
        done = asyncio.Event()

        async def traffic() -> None:
            while not done.is_set():
                statuses.add((await shop.send(get())).status)

        sending = asyncio.create_task(traffic())
        await shop.gateway.apply([_with_timeout(shop, "3.500s")])
        changed = _timeouts(await shop.gateway.dump("dynamic_listeners"))
        done.set()
        await sending
        await shop.gateway.apply([shop.attachment])
        return changed, statuses

    assert runner.run(play()) == (["3.500s"], {200})


def test_a_change_that_envoy_refuses_leaves_the_filter_before_it_serving(runner: asyncio.Runner, shop: Mesh) -> None:
    refused = _with_timeout(shop, "4s")
    for patch in refused["spec"]["configPatches"]:
        if patch["patch"]["value"].get("name") == "extproc.policy":
            del patch["patch"]["value"]["typed_config"]["grpc_service"]

    async def play() -> object:
        await shop.gateway.apply([refused])
        listeners = await shop.gateway.dump("dynamic_listeners")
        seen = (
            [one["error_state"]["details"] for one in listeners if "error_state" in one],
            _timeouts(listeners),
            await outcome(shop),
        )
        await shop.gateway.apply([shop.attachment])
        return seen

    errors, timeouts, enforced = runner.run(play())
    assert (bool(errors), timeouts, enforced) == (True, ["30s"], ENFORCED)


def test_taking_the_filter_away_opens_the_gateway_at_once(runner: asyncio.Runner, shop: Mesh) -> None:
    """So the server goes last: docs say in which order to remove."""

    async def play() -> object:
        await shop.gateway.delete([shop.attachment])
        seen = await outcome(shop)
        await shop.gateway.apply([shop.attachment])
        return seen, await outcome(shop)

    assert runner.run(play()) == (OPEN, ENFORCED)
