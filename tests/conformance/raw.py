"""Bytes as they are on both ends of the gateway: a client that corrects nothing, an upstream that keeps what came."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events

Fields = tuple[tuple[bytes, bytes], ...]

ANSWER = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"
_END = b"\r\n\r\n"


class Recorder:
    """Answers every request without a body by 204, and remembers its head, byte by byte."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(_END))
            writer.write(ANSWER)
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def recorder() -> AsyncIterator[Recorder]:
    """A running recorder on a port that the kernel chose."""
    running = Recorder()
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running


async def http1(address: str, target: bytes) -> bytes:
    """Send a GET with this target over HTTP/1.1; the head of the answer, empty where there was none."""
    reader, writer = await _connect(address)
    try:
        writer.write(b"GET " + target + b" HTTP/1.1\r\nhost: gateway.test\r\n\r\n")
        return await reader.readuntil(_END)
    except (asyncio.IncompleteReadError, OSError):
        return b""
    finally:
        writer.close()


async def http2(
    address: str, target: bytes, *, fields: Fields = (), body: bytes | None = None, trailers: Fields = ()
) -> bytes:
    """The same over HTTP/2, without what the library would refuse to send; the answer's head as HTTP/1.1 writes it.

    With a body or trailers it is a POST.
    """
    reader, writer = await _connect(address)
    config = h2.config.H2Configuration(
        header_encoding=None, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    connection = h2.connection.H2Connection(config)
    connection.initiate_connection()
    method = b"GET" if body is None and not trailers else b"POST"
    head = ((b":method", method), (b":scheme", b"http"), (b":authority", b"gateway.test"), (b":path", target))
    connection.send_headers(1, (*head, *fields), end_stream=method == b"GET")
    if body is not None:
        connection.send_data(1, body, end_stream=not trailers)
    if trailers:
        connection.send_headers(1, trailers, end_stream=True)
    try:
        writer.write(connection.data_to_send())
        return await _answer(connection, reader)
    except OSError:
        return b""
    finally:
        writer.close()


async def _answer(connection: h2.connection.H2Connection, reader: asyncio.StreamReader) -> bytes:
    while data := await reader.read(1 << 16):
        for event in connection.receive_data(data):
            match event:
                case h2.events.ResponseReceived(headers=[(_, status), *fields]):
                    lines = [b"HTTP/2 " + status, *(name + b": " + value for name, value in fields)]
                    return b"\r\n".join(lines) + _END
                case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                    return b""
    return b""


def parsed_head(head: bytes) -> tuple[bytes, dict[str, str]]:
    """The second word of the first line, and the fields."""
    first, *rest = head.removesuffix(_END).split(b"\r\n")
    pairs = (field.decode("latin-1").partition(": ") for field in rest)
    return first.split(b" ")[1], {name: value for name, _, value in pairs}


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = address.rpartition(":")
    return await asyncio.open_connection(host, int(port))
