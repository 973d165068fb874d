"""Many cases over few connections of HTTP/1.1; each case has its answer before the next one is written."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

import h11

_END = b"\r\n\r\n"
_NO_BODY = {b"204", b"304"}
_CONNECTIONS = 24
# Longer than any time-out of the gateway's: an answer that takes this long is one that never comes.
_LONGEST_S = 90


@dataclass(frozen=True, slots=True)
class Reply:
    """What the client got: status 0 where the connection was closed without an answer, -1 where nothing came."""

    status: int
    head: bytes = b""
    body: bytes = b""

    def field(self, name: bytes) -> bytes | None:
        """The first value of a field of the answer; names are lower-case, as Envoy writes them."""
        lines = (line.partition(b": ") for line in self.head.split(b"\r\n")[1:])
        return next((value for known, _, value in lines if known == name), None)


class Shape(Enum):
    """One request, the start of one, or something else: no request, or one with more after it."""

    WHOLE = auto()
    START = auto()
    ODD = auto()


CLOSED, NOTHING = Reply(0), Reply(-1)


async def send_all(address: str, wires: Iterable[tuple[int, bytes]]) -> dict[int, Reply]:
    """Send each, at most 24 at a time; the answers by number."""
    left = iter(wires)
    replies: dict[int, Reply] = {}

    async def work() -> None:
        connection = Connection(address)
        for number, wire in left:
            replies[number] = await connection.exchange(wire)
        connection.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(_CONNECTIONS):
            group.create_task(work())
    return replies


class Connection:
    """One client's; it is opened anew after an answer that ends it."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, wire: bytes) -> Reply:
        """Write one request and read its answer.

        What is not plainly one request has a connection of its own; after the start of one its end says so.
        """
        shape = _shape(wire)
        if shape is not Shape.WHOLE:
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, int(self._port), limit=1 << 22)
        reader, writer = self._streams
        writer.write(wire)
        if shape is Shape.START:
            writer.write_eof()
        try:
            async with asyncio.timeout(_LONGEST_S):
                reply = await _reply(reader, headless=wire.startswith(b"HEAD "))
        except TimeoutError:
            reply = NOTHING
        except (asyncio.IncompleteReadError, OSError):
            reply = CLOSED
        if shape is not Shape.WHOLE or reply.status <= 0 or reply.field(b"connection") == b"close":
            self.close()
        return reply

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _shape(wire: bytes) -> Shape:
    """What a strict reader, h11, takes the bytes for."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 22)
    try:
        reader.receive_data(wire)
        while not isinstance(event := reader.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                return Shape.START
    except h11.RemoteProtocolError:
        return Shape.ODD
    alone = reader.trailing_data == (b"", False) and reader.their_state in {h11.DONE, h11.MUST_CLOSE}
    return Shape.WHOLE if alone else Shape.ODD


async def _reply(reader: asyncio.StreamReader, *, headless: bool) -> Reply:
    head = await reader.readuntil(_END)
    while (status := head[9:12]).startswith(b"1") and status != b"101":
        head = await reader.readuntil(_END)
    reply = Reply(int(status), head.removesuffix(_END))
    if headless or status in _NO_BODY or status == b"101":
        return reply
    if (length := reply.field(b"content-length")) is not None:
        return Reply(reply.status, reply.head, await reader.readexactly(int(length)))
    if reply.field(b"transfer-encoding") is not None:
        return Reply(reply.status, reply.head, await _chunks(reader))
    return Reply(reply.status, reply.head, await reader.read())


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readuntil(b"\r\n")
    return body
