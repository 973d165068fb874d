"""The application behind the gateway: a small shop that is careless with what it answers, and remembers what it got."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from extproc.core.events import JSON

_TOO_TALKATIVE: dict[str, JSON] = {
    "id": 42,
    "name": "Ada Example",
    "payment": {"brand": "visa", "number": "4111 1111 1111 1111"},  # every network's test number; its check digit fits
}
_SOMEBODY_ELSES: dict[str, JSON] = {"tenant": "globex", "invoices": [{"number": "G-2041", "eur": 1290}]}
_ORDERS: dict[str, JSON] = {"orders": [{"id": "o-1001", "item": "standing desk", "eur": 429}]}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it came here; header names are lower-case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Upstream:
    """What came, in order, and the address (HOST:PORT) that it came to."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self.address = ""
        self.arrivals: list[Arrival] = []

    def application(self) -> web.Application:
        """The shop; whatever it serves, it records first."""
        app = web.Application(middlewares=[self._record])
        app.router.add_get("/orders", _answer(_ORDERS))
        app.router.add_post("/orders", _answer({"id": "o-1002", "accepted": True}, status=201))
        app.router.add_post("/login", _answer({"welcome": "mallory"}))
        app.router.add_post("/documents", _answer({"stored": True}, status=201))
        app.router.add_get("/customers/42", _answer(_TOO_TALKATIVE))
        app.router.add_post("/tenants/other", _answer(_SOMEBODY_ELSES))
        return app

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.arrivals.append(Arrival(request.method, request.path_qs, headers, await request.read()))
        return await handler(request)


@asynccontextmanager
async def running_upstream() -> AsyncIterator[Upstream]:
    """The shop in this process, on a loopback port that the kernel chooses."""
    upstream = Upstream()
    runner = web.AppRunner(upstream.application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        upstream.address = f"{host}:{port}"
        yield upstream
    finally:
        await runner.cleanup()


def _answer(document: Mapping[str, JSON], *, status: int = 200) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.json_response(document, status=status)

    return handler
