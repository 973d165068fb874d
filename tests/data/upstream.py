"""An upstream on HTTP/1.1 that keeps what came, by the number of the case, and answers as the case says."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from data.cases import Answer, Fields, number_of

_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that reached the upstream; the body without its framing."""

    method: bytes
    target: bytes
    fields: Fields
    body: bytes

    def value(self, name: bytes) -> bytes | None:
        """The first value of a field."""
        return next((value for known, value in self.fields if known == name), None)


class Upstream:
    """What arrived, for each case."""

    def __init__(self, answers: Mapping[int, Answer]) -> None:
        self.arrived: dict[int, list[Arrival]] = defaultdict(list)
        self.address = ""
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                arrival = await _read(reader)
                number = number_of(arrival.fields)
                self.arrived[number].append(arrival)
                answer = self._answers.get(number, Answer())
                lines = [*answer.fields, (b"content-length", b"%d" % len(answer.body))]
                head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
                body = b"" if arrival.method == b"HEAD" else answer.body
                writer.write(b"HTTP/1.1 %d \r\n" % answer.status + head + b"\r\n" + body)
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Arrival:
    """One request; Envoy wrote it, so the framing is what RFC 9112 wants."""
    first, *lines = (await reader.readuntil(_END)).removesuffix(_END).split(b"\r\n")
    fields = tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))
    method, _, rest = first.partition(b" ")
    known = dict(fields)
    if b"transfer-encoding" in known:
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(known.get(b"content-length", b"0")))
    return Arrival(method, rest.removesuffix(b" HTTP/1.1"), fields, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


@asynccontextmanager
async def upstream(answers: Mapping[int, Answer]) -> AsyncIterator[Upstream]:
    """A running one on a port that the kernel chose."""
    running = Upstream(answers)
    server = await asyncio.start_server(running.serve, "127.0.0.1", 0, limit=1 << 22)
    running.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield running
