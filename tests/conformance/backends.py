"""What a Python web application reads from a request line, asked of the frameworks themselves."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.serving import WSGIRequestHandler, make_server

Reading = dict[str, object] | int
"""`path` (the segments that routing gave) and `query`, or the status of a request that no route took."""


async def _show(request: StarletteRequest) -> JSONResponse:
    query: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        query.setdefault(name, []).append(value)
    return JSONResponse({"path": request.path_params["rest"].split("/"), "query": query})


_STARLETTE = Starlette(routes=[Route("/{rest:path}", _show)])


def starlette(target: bytes) -> Reading:
    """By the ASGI specification `path` is percent-decoded UTF-8, `query_string` as it came."""
    raw_path, _, query = target.partition(b"?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": [],
    }
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(_STARLETTE(scope, receive, send))
    status = sent[0]["status"]
    return json.loads(sent[1]["body"]) if status == 200 else status


class _Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Nothing: the rows are the log."""


_WERKZEUG = Map([Rule("/", defaults={"rest": ""}), Rule("/<path:rest>")], merge_slashes=False)


@Request.application
def _werkzeug_application(request: Request) -> Response:
    try:
        _, values = _WERKZEUG.bind_to_environ(request.environ).match()
    except HTTPException as answer:
        return answer.get_response()
    query = {name: request.args.getlist(name) for name in request.args}
    return Response(json.dumps({"path": values["rest"].split("/"), "query": query}))


class Werkzeug:
    """An application behind Werkzeug's own server, which reads the bytes of the request line itself."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    def __call__(self, target: bytes) -> Reading:
        with socket.create_connection(self._address) as connection:
            connection.sendall(b"GET " + target + b" HTTP/1.0\r\nhost: backend.test\r\n\r\n")
            head, _, body = b"".join(iter(lambda: connection.recv(1 << 16), b"")).partition(b"\r\n\r\n")
        status = int(head.split()[1])
        return json.loads(body) if status == 200 else status


@contextmanager
def werkzeug() -> Iterator[Werkzeug]:
    """The running application."""
    server = make_server("127.0.0.1", 0, _werkzeug_application, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Werkzeug(("127.0.0.1", server.port))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
