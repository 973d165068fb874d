"""The application of the examples: orders, a chat over a WebSocket, an event stream."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import WSMsgType, web


async def _orders(request: web.Request) -> web.Response:
    return web.json_response({"orders": []}, status=201 if request.method == "POST" else 200)


async def _chat(request: web.Request) -> web.WebSocketResponse:
    """Say everything back."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def _events(request: web.Request) -> web.StreamResponse:
    """An event every 50 ms until the client leaves."""
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    try:
        for number in itertools.count(1):
            await response.write(b"data: %d\n\n" % number)
            await asyncio.sleep(0.05)
    except ConnectionError:
        pass
    return response


@asynccontextmanager
async def shop() -> AsyncIterator[int]:
    """The application in this process; the port that the kernel chose."""
    app = web.Application()
    app.router.add_get("/orders", _orders)
    app.router.add_post("/orders", _orders)
    app.router.add_get("/chat", _chat)
    app.router.add_get("/events", _events)
    app.router.add_get("/prices", _events)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
