"""HTTP/1.1 by h11 on both ends of the gateway: a client that says exactly what a row says, an upstream that records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
from conformance.exchange import Message, Pairs

_MOST = 1 << 24


def _encode(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode("latin-1")) for name, value in pairs]


def _decode(pairs: object) -> Pairs:
    return tuple((bytes(name).decode(), bytes(value).decode("latin-1")) for name, value in pairs)


def framed(message: Message) -> Pairs:
    """The headers with the framing that the row asks for; `none` announces nothing."""
    if message.framing == "chunked":
        return (*message.headers, ("transfer-encoding", "chunked"))
    if message.framing == "length" and message.body is not None:
        return (*message.headers, ("content-length", str(len(message.body))))
    return message.headers


class _Side:
    """One end of one connection."""

    def __init__(
        self, role: type[h11.SERVER | h11.CLIENT], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connection = h11.Connection(role, max_incomplete_event_size=_MOST)
        self.reader, self.writer = reader, writer

    async def event(self) -> object:
        while (event := self.connection.next_event()) is h11.NEED_DATA:
            self.connection.receive_data(await self.reader.read(1 << 16))
        return event

    async def write(self, event: object) -> None:
        self.writer.write(self.connection.send(event))
        await self.writer.drain()

    async def write_rest(self, message: Message) -> None:
        """The body and the trailers."""
        if message.body:
            await self.write(h11.Data(data=message.body))
        await self.write(h11.EndOfMessage(headers=_encode(message.trailers)))

    async def write_raw(self, request: Message) -> None:
        """The row's own bytes; h11 is told of a harmless request, so that it can read the answer."""
        self.connection.send(h11.Request(method=request.method, target="/", headers=[("host", "gateway.test")]))
        self.connection.send(h11.EndOfMessage())
        self.writer.write(request.raw or b"")
        if request.half_close:
            self.writer.write_eof()
        await self.writer.drain()

    async def read_rest(self) -> tuple[bytes, Pairs]:
        body = b""
        while True:
            match await self.event():
                case h11.Data(data=data):
                    body += bytes(data)
                case h11.EndOfMessage(headers=trailers):
                    return body, _decode(trailers)
                case h11.ConnectionClosed() | h11.PAUSED:
                    return body, ()


async def send(address: str, request: Message) -> Message:
    """Send one request and read its whole answer; a connection that is closed without one is status 0."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    side = _Side(h11.CLIENT, reader, writer)
    headers = (("host", "gateway.test"), *framed(request))
    try:
        if request.raw is None:
            await side.write(h11.Request(method=request.method, target=request.target, headers=_encode(headers)))
            writing = asyncio.create_task(_quietly(side.write_rest(request)))
        else:
            writing = asyncio.create_task(_quietly(side.write_raw(request)))
        try:
            head = await side.event()
            while isinstance(head, h11.InformationalResponse) and head.status_code != 101:
                head = await side.event()
            if not isinstance(head, h11.Response | h11.InformationalResponse):
                return Message(status=0)
            if head.status_code == 101:
                return Message(status=101, headers=_decode(head.headers))
            body, trailers = await side.read_rest()
        finally:
            writing.cancel()
        return Message(status=head.status_code, headers=_decode(head.headers), body=body, trailers=trailers)
    except (OSError, h11.RemoteProtocolError):
        return Message(status=0)
    finally:
        writer.close()


async def _quietly(writing: object) -> None:
    """An answer may come before the request is written; then nobody reads the rest."""
    try:
        await writing
    except (OSError, h11.LocalProtocolError):
        return


class Upstream:
    """Answers every request with `answer`, and remembers every request that reached it."""

    def __init__(self) -> None:
        self.answer = Message()
        self.seen: list[Message] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = _Side(h11.SERVER, reader, writer)
        try:
            while isinstance(head := await side.event(), h11.Request):
                if b"upgrade" in dict(head.headers):
                    await self._upgrade(side, head)
                    return
                body, trailers = await side.read_rest()
                self._remember(head, body, trailers)
                await self._reply(side, head)
                if side.connection.our_state is not h11.DONE:
                    return
                side.connection.start_next_cycle()
        except (h11.ProtocolError, OSError):
            return
        finally:
            writer.close()

    def _remember(self, head: h11.Request, body: bytes, trailers: Pairs) -> None:
        self.seen.append(
            Message(
                method=head.method.decode(),
                target=head.target.decode(),
                headers=_decode(head.headers),
                body=body,
                trailers=trailers,
            )
        )

    async def _reply(self, side: _Side, head: h11.Request) -> None:
        answer = self.answer
        if answer.raw is not None:
            side.writer.write(answer.raw)
            return
        await side.write(h11.Response(status_code=answer.status, headers=_encode(framed(answer))))
        if head.method == b"HEAD":
            await side.write(h11.EndOfMessage())
        else:
            await side.write_rest(answer)

    async def _upgrade(self, side: _Side, head: h11.Request) -> None:
        self._remember(head, b"", ())
        headers = [(b"connection", b"upgrade"), (b"upgrade", dict(head.headers)[b"upgrade"])]
        await side.write(h11.InformationalResponse(status_code=101, headers=headers))
        while await side.reader.read(1 << 16):  # the new protocol, until the client has enough of it
            pass


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    """A running upstream on a port that the kernel chose."""
    recorder = Upstream()
    server = await asyncio.start_server(recorder.serve, "127.0.0.1", 0)
    recorder.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield recorder
