"""The admin port, HTTP: /livez /readyz /metrics /jwks.json /version.  Nothing here changes anything."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from aiohttp import web

from extproc import __version__
from extproc.errors import ListenError
from extproc.server.binding import reason

_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker as /readyz shows it; `problem` is empty when it is ready."""

    index: int
    address: str
    ready: bool
    problem: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the answers come from, each asked anew for every request."""

    workers: Callable[[], list[WorkerStatus]]
    metrics: Callable[[], bytes]
    jwks: Callable[[], str]


class Admin:
    """The HTTP server."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/jwks.json", self._jwks)
        app.router.add_get("/version", self._version)
        self._runner = web.AppRunner(app, access_log=None)

    async def listen(self, address: str) -> str:
        """Serve on HOST:PORT; answers the address with the real port.  Raises ListenError."""
        host, _, port = address.rpartition(":")
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host.strip("[]"), int(port)).start()
        except OSError:
            why = reason(address)
            raise ListenError(
                f"admin.listen: {address} cannot be bound ({why}): name a free address of this machine"
            ) from None
        return f"{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Stop serving."""
        await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        workers = self._sources.workers()
        ready = bool(workers) and all(worker.ready for worker in workers)
        document = {"ready": ready, "workers": [asdict(worker) for worker in workers]}
        return web.json_response(document, status=200 if ready else 503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._sources.metrics(), headers={"content-type": _PROMETHEUS})

    async def _jwks(self, _: web.Request) -> web.Response:
        return web.Response(text=self._sources.jwks(), content_type="application/jwk-set+json")

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"name": "extproc", "version": __version__})
