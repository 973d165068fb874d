import asyncio

import aiohttp

from extproc.demo.upstream import Arrival, Upstream, running_upstream


async def _visit() -> tuple[list[int], Upstream]:
    async with running_upstream() as upstream, aiohttp.ClientSession(f"http://{upstream.address}") as session:
        async with session.get("/customers/42", headers={"X-Mark": "1"}) as leak:
            assert (await leak.json())["payment"]["number"] == "4111 1111 1111 1111"
        async with session.post("/nowhere?a=1", data=b"body") as missing:
            return [leak.status, missing.status], upstream


def test_the_upstream_remembers_every_request_whether_it_serves_it_or_not() -> None:
    statuses, upstream = asyncio.run(_visit())

    assert statuses == [200, 404]
    first, second = upstream.arrivals
    assert (first.method, first.path, first.headers["x-mark"], first.body) == ("GET", "/customers/42", "1", b"")
    assert second == Arrival("POST", "/nowhere?a=1", second.headers, b"body")
