"""The client of an OPA server: exact bytes out, whole answers in.  The only importer of opa-python-client."""

import asyncio
import io
import re
import time
from dataclasses import dataclass

import aiohttp
from opa_client.opa_async import AsyncOpaClient  # type: ignore[import-untyped]  # it has none
from typing_extensions import override

from extproc.errors import ConfigurationError, EngineError, EngineTimeout

IN_FLIGHT = 64
"""Queries that OPA has at once: far more than it has CPUs, below the 100 connections that the client's pool holds."""
SMOOTHING = 0.1
"""Weight of the newest query in the moving average that the expected wait is computed from."""
ANSWER_BYTES = 4 << 20
POLICIES_BYTES = 64 << 20
_URL = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[^\[\]/@:?#\s]+)(?::(\d{1,5}))?/?")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered; `took_ns` is the whole exchange."""

    status: int
    body: bytes
    took_ns: int


class Client(AsyncOpaClient):  # type: ignore[misc]  # the library has no types
    """opa-python-client 3.0 with its pool, its retries off, and requests of our own.

    Its public `query_rule` takes a dict, so that numbers change on their way through Python floats; it drops the body
    of a 500, which has the reason; and it reads an answer of any size.  So this subclass sends the exact bytes by
    `_request`, the method that all of the library's own calls go through.
    """

    def __init__(self, url: str) -> None:
        parts = _URL.fullmatch(url)
        if parts is None:  # the URL is not shown, for it may hold credentials
            raise ConfigurationError("policy.opa.url must be http://HOST:PORT or https://HOST:PORT and no more")
        scheme, host, port = parts.groups()
        super().__init__(
            host=host,
            port=int(port or (443 if scheme == "https" else 80)),
            ssl=scheme == "https",
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            retries=0,
            timeout=None,  # every call has a deadline of its own
        )
        self._gate = asyncio.Semaphore(IN_FLIGHT)
        self._closed = False
        self.mean_ns = 0.0

    @override
    async def close_connection(self) -> None:
        """Close the pool; the library's session would tell a later query so by a RuntimeError."""
        self._closed = True
        await super().close_connection()

    async def query(self, path: str, document: bytes, due: float) -> Reply:
        """`POST /v1/data/<path>`; `document`, one JSON value, becomes the input as it stands.  Errors as `_ask`."""
        body = io.BytesIO(b'{"input":%b}' % document)
        return await self._ask("POST", f"data/{path}?provenance=true", due, limit=ANSWER_BYTES, body=body)

    async def read(self, path: str, due: float) -> Reply:
        """`GET /v1/<path>`.  Errors as `_ask`."""
        return await self._ask("GET", path, due, limit=POLICIES_BYTES)

    async def _ask(self, method: str, path: str, due: float, *, limit: int, body: io.BytesIO | None = None) -> Reply:
        """The one place where the library's exceptions become ours.

        Raises EngineTimeout when the loop's clock reaches `due`, the wait for a place included; EngineError.
        """
        try:
            async with asyncio.timeout_at(due), self._gate:
                if self._closed:
                    raise EngineError("the engine is closed")
                return await self._exchange(method, f"{self.root_url}/{path}", limit=limit, body=body)
        except TimeoutError:
            raise EngineTimeout("the OPA server did not answer before the deadline") from None
        except aiohttp.ClientConnectorError:
            raise EngineError("the OPA server cannot be reached") from None
        except (aiohttp.ClientError, OSError) as error:
            raise EngineError(f"the OPA server's answer broke off or is not HTTP: {type(error).__name__}") from None

    async def _exchange(self, method: str, url: str, *, limit: int, body: io.BytesIO | None) -> Reply:
        start_ns = time.monotonic_ns()
        try:
            # A redirect would take the input elsewhere.
            async with self._request(method, url, data=body, allow_redirects=False) as response:
                content = await _content(response, limit)
            return Reply(response.status, content, time.monotonic_ns() - start_ns)
        finally:
            self.mean_ns += SMOOTHING * (time.monotonic_ns() - start_ns - self.mean_ns)


async def _content(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, if it is no longer than the limit; else the rest is not read, and the connection is not used again."""
    try:
        await response.content.readexactly(limit + 1)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    raise EngineError(f"the OPA server's answer has more than {limit} bytes")
