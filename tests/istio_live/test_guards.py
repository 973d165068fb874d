"""Each part of our EnvoyFilter is needed: without it, something that this module sees is no longer so."""

import asyncio
import copy
from collections.abc import Iterator

import pytest
from conformance.exchange import Message
from faults.stage import JSON, get
from istio_live.objects import Object
from istio_live.stage import OK, Mesh, manifests
from istio_live.test_mistakes import ENFORCED, OPEN, outcome, responses_that_are_not_sent, unknown_enumeration_value
from istio_live.test_selection import HEALTH, excluding

# More than twice our limit of 64 KiB, and less than the 1 MiB that Envoy gives a connection by default.
LONG = Message(body=b"x" * 200_000, headers=(("content-type", "text/plain"),))


@pytest.fixture(autouse=True)
def _as_rendered(runner: asyncio.Runner, shop: Mesh) -> Iterator[None]:
    yield
    runner.run(shop.gateway.apply([shop.attachment]))


def _without(attachment: Object, name: str) -> Object:
    """The object without the patch that inserts or changes this."""
    patches = attachment["spec"]["configPatches"]
    left = [one for one in patches if name not in {one["applyTo"], one["patch"]["value"].get("name")}]
    assert len(left) == len(patches) - 1
    return {**attachment, "spec": {**attachment["spec"], "configPatches": left}}


async def _status(shop: Mesh, request: Message) -> int:
    return (await shop.send(request)).status


def test_the_listener_holds_what_our_limits_say_and_no_more(runner: asyncio.Runner, shop: Mesh) -> None:
    """Beyond it a response is Envoy's own 500 before it is whole; without it we are sent the rest, to deny it."""

    async def play() -> tuple[int, int]:
        shop.upstream.answer = LONG
        rendered = await _status(shop, get())
        await shop.gateway.apply([_without(shop.attachment, "LISTENER")])
        without = await _status(shop, get())
        shop.upstream.answer = OK
        return rendered, without

    assert runner.run(play()) == (500, 403)


def test_a_path_has_one_spelling_for_the_connection_manager_says_so(runner: asyncio.Runner, shop: Mesh) -> None:
    request = Message(target="/a%2Fb")

    async def play() -> tuple[int, int]:
        rendered = await _status(shop, request)
        await shop.gateway.apply([_without(shop.attachment, "NETWORK_FILTER")])
        return rendered, await _status(shop, request)

    assert runner.run(play()) == (307, 200)


def test_no_client_sends_a_header_of_ours_for_it_is_stripped(runner: asyncio.Runner, shop: Mesh) -> None:
    """Of what we are asked about the server strips it too; of a route that is excluded nobody else does."""
    forged = Message(target="/health", headers=(("x-extproc-receipt-id", "forged"),))

    async def seen() -> list[str]:
        shop.upstream.seen.clear()
        await shop.send(forged)
        return [name for name, _ in shop.upstream.seen[-1].headers if name.startswith("x-extproc-")]

    async def play() -> tuple[list[str], list[str]]:
        rendered = excluding(shop, "health")
        await shop.gateway.apply([*HEALTH, rendered])
        stripped = await seen()
        await shop.gateway.apply([_without(rendered, "extproc.strip_client_headers")])
        left = await seen()
        await shop.gateway.apply(manifests("classic.yaml"))
        return stripped, left

    assert runner.run(play()) == ([], ["x-extproc-receipt-id"])


def test_without_the_request_guard_a_filter_that_istiod_drops_leaves_the_gateway_open(
    runner: asyncio.Runner, shop: Mesh
) -> None:
    dropped = copy.deepcopy(shop.attachment)
    unknown_enumeration_value(dropped)

    async def play() -> object:
        await shop.gateway.apply([dropped])
        guarded = await _status(shop, get())
        await shop.gateway.apply([_without(dropped, "extproc.request_guard")])
        return guarded, await outcome(shop)

    assert runner.run(play()) == (403, OPEN)


def test_without_the_response_guard_a_response_that_nobody_decided_passes(runner: asyncio.Runner, shop: Mesh) -> None:
    unsent = copy.deepcopy(shop.attachment)
    responses_that_are_not_sent(unsent)

    async def play() -> object:
        await shop.gateway.apply([unsent])
        guarded = await _status(shop, get())
        await shop.gateway.apply([_without(unsent, "extproc.response_guard")])
        return guarded, await _status(shop, get())

    assert runner.run(play()) == (503, 200)


def test_without_the_filter_itself_the_guard_lets_nothing_pass(runner: asyncio.Runner, shop: Mesh) -> None:
    async def play() -> object:
        rendered = await outcome(shop)
        await shop.gateway.apply([_without(shop.attachment, "extproc.policy")])
        return rendered, await _status(shop, get())

    assert runner.run(play()) == (ENFORCED, 403)


def test_a_client_that_waits_to_be_told_to_continue_is_told(runner: asyncio.Runner, shop: Mesh) -> None:
    """With istiod's default (ENABLE_100_CONTINUE_HEADERS) it would wait for ever."""
    head = f"POST / HTTP/1.1\r\nhost: shop\r\n{': '.join(JSON)}\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n"

    async def play() -> tuple[bytes, bytes]:
        host, _, port = shop.gateway.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(head.encode())
        told = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"{}")
        answered = await reader.readline()
        writer.close()
        return told.splitlines()[0], answered.strip()

    assert runner.run(play()) == (b"HTTP/1.1 100 Continue", b"HTTP/1.1 200 OK")
