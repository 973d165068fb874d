"""How a stream ends: with OK only when the exchange is over, for Envoy takes an OK end for a pass."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc.errors import ListenError
from extproc.server.binding import reason
from extproc.server.driver import SERVICE, Driver, Stream
from extproc.server.health import Health

LIMIT = 1 << 16
Handler = Callable[[Stream], Awaitable[bool]]
Ending = tuple[list[bytes], grpc.StatusCode]


def ending(handler: Handler, *messages: bytes, done: bool = True, streams: int = 8) -> Ending:
    """What a client that sends these messages is answered, and the status of the end."""

    async def play() -> Ending:
        driver = Driver(handler=handler, receive_limit_bytes=LIMIT, streams=streams)
        address = await driver.listen("127.0.0.1:0")
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                return await _end(channel, *messages, done=done)
        finally:
            await driver.stop(0)

    return asyncio.run(play())


async def _end(channel: grpc.aio.Channel, *messages: bytes, done: bool) -> Ending:
    call = channel.stream_stream(f"/{SERVICE}/Process")()
    answers: list[bytes] = []
    try:
        for message in messages:
            await call.write(message)
        if done:
            await call.done_writing()
        while (answer := await call.read()) is not grpc.aio.EOF:
            answers.append(answer)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        pass
    return answers, await call.code()


async def echo(stream: Stream) -> bool:
    while (message := await stream.read()) is not None:
        await stream.write(message)
    return False


async def deny(stream: Stream) -> bool:
    await stream.read()
    await stream.write(b"no")
    return True


async def leave(stream: Stream) -> bool:
    await stream.read()
    return False


async def fail(stream: Stream) -> bool:
    await stream.read()
    raise RuntimeError("told to")


async def cancel_itself(stream: Stream) -> bool:
    await stream.read()
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("handler", "messages", "done", "expected"),
    [
        pytest.param(echo, (b"a", b"b"), True, ([b"a", b"b"], grpc.StatusCode.OK), id="after Envoy's own end"),
        pytest.param(deny, (b"a",), False, ([b"no"], grpc.StatusCode.OK), id="after an immediate response"),
        pytest.param(leave, (b"a",), False, ([], grpc.StatusCode.INTERNAL), id="never before"),
        pytest.param(fail, (b"a",), False, ([], grpc.StatusCode.INTERNAL), id="nor by a fault"),
        pytest.param(cancel_itself, (b"a",), False, ([], grpc.StatusCode.CANCELLED), id="nor by a cancellation"),
    ],
)
def test_a_stream_ends_well_only_when_the_exchange_is_over(
    handler: Handler,
    messages: tuple[bytes, ...],
    done: bool,  # noqa: FBT001 - pytest's
    expected: Ending,
) -> None:
    """A client that writes past the end makes up a status of its own: it sends what the handler reads, and no more."""
    assert ending(handler, *messages, done=done) == expected


def test_the_end_of_a_fault_does_not_tell_what_it_was() -> None:
    async def play() -> str:
        driver = Driver(handler=fail, receive_limit_bytes=LIMIT, streams=1)
        address = await driver.listen("127.0.0.1:0")
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.stream_stream(f"/{SERVICE}/Process")()
            await call.write(b"a")
            details = await call.details()
        await driver.stop(0)
        return str(details)

    assert asyncio.run(play()) == "the exchange failed"


@pytest.mark.parametrize(
    ("size", "status"), [(LIMIT, grpc.StatusCode.OK), (LIMIT + 1, grpc.StatusCode.RESOURCE_EXHAUSTED)]
)
def test_a_message_may_be_as_large_as_the_limit(size: int, status: grpc.StatusCode) -> None:
    assert ending(echo, b"x" * size)[1] == status


def test_a_stream_beyond_the_most_is_refused_and_a_health_check_is_not() -> None:
    async def play() -> tuple[grpc.StatusCode, int, grpc.StatusCode]:
        driver = Driver(handler=echo, receive_limit_bytes=LIMIT, streams=1)
        await Health(driver.server).set(serving=True)
        address = await driver.listen("127.0.0.1:0")
        async with grpc.aio.insecure_channel(address) as channel:
            first = channel.stream_stream(f"/{SERVICE}/Process")()
            await first.write(b"a")
            await first.read()
            _, refused = await _end(channel, done=False)
            health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
            await first.done_writing()
            assert await first.code() == grpc.StatusCode.OK
            _, served = await _end(channel, b"b", done=True)
        await driver.stop(0)
        return refused, health.status, served

    serving = health_pb2.HealthCheckResponse.SERVING
    assert asyncio.run(play()) == (grpc.StatusCode.RESOURCE_EXHAUSTED, serving, grpc.StatusCode.OK)


def test_a_new_stream_has_the_place_of_one_that_makes_room() -> None:
    async def play() -> tuple[grpc.StatusCode, Ending]:
        leaving: asyncio.Queue[asyncio.Event] = asyncio.Queue()
        started = asyncio.Event()

        async def leave_when_told(stream: Stream) -> bool:
            if await stream.read() == b"stay":
                told = asyncio.Event()
                leaving.put_nowait(told)
                started.set()
                await told.wait()
                return False
            await stream.write(b"served")
            return await echo(stream)

        def make_room() -> bool:
            leaving.get_nowait().set()
            return True

        driver = Driver(handler=leave_when_told, receive_limit_bytes=LIMIT, streams=1, make_room=make_room)
        address = await driver.listen("127.0.0.1:0")
        async with grpc.aio.insecure_channel(address) as channel:
            first = channel.stream_stream(f"/{SERVICE}/Process")()
            await first.write(b"stay")
            await started.wait()
            second = await _end(channel, b"go", done=True)
            first.cancel()  # nothing to do, if it has gone
            gone = await first.code()
        await driver.stop(0)
        return gone, second

    assert asyncio.run(play()) == (grpc.StatusCode.INTERNAL, ([b"served"], grpc.StatusCode.OK))


def test_a_peer_that_goes_away_cancels_the_handler() -> None:
    async def play() -> str:
        ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def wait(stream: Stream) -> bool:
            await stream.read()
            await stream.write(b"go on")
            try:
                await asyncio.Event().wait()  # as in an evaluation
            except asyncio.CancelledError:
                ended.set_result("cancelled")
                raise
            return False

        driver = Driver(handler=wait, receive_limit_bytes=LIMIT, streams=1)
        address = await driver.listen("127.0.0.1:0")
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.stream_stream(f"/{SERVICE}/Process")()
            await call.write(b"a")
            await call.read()
            call.cancel()
            seen = await asyncio.wait_for(ended, 10)
        await driver.stop(0)
        return seen

    assert asyncio.run(play()) == "cancelled"


def test_a_port_in_use_is_an_error_with_its_reason() -> None:
    async def listen(address: str) -> None:
        await Driver(handler=echo, receive_limit_bytes=LIMIT, streams=1).listen(address)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError) as raised:
            asyncio.run(listen(address))
    assert str(raised.value) == (
        f"listen: {address} cannot be bound (Address already in use): name a free address of this machine"
    )


def test_a_socket_that_somebody_serves_is_not_taken_away(tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/x.sock"

    async def play() -> str:
        first, second = (Driver(handler=echo, receive_limit_bytes=LIMIT, streams=1) for _ in range(2))
        await first.listen(address)
        with pytest.raises(ListenError) as raised:
            await second.listen(address)
        await first.stop(0)
        await second.listen(address)  # what the first left behind is no obstacle
        await second.stop(0)
        return str(raised.value)

    assert asyncio.run(play()) == f"listen: {address} cannot be bound (another process serves it): name a free one"


def test_why_an_address_cannot_be_bound(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert [
        reason("203.0.113.7:0"),
        reason(f"unix://{tmp_path}/absent/x"),
        reason(f"unix://{tmp_path}/file"),
        reason(f"unix://{tmp_path}/{'x' * 200}"),
        reason("[::1]:0"),
    ] == [
        "Cannot assign requested address",
        "No such file or directory",
        "Address already in use",
        "AF_UNIX path too long",
        "",
    ]
