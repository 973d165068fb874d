import asyncio

import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from extproc.server.health import Health

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


def test_a_check_and_a_watch_say_what_was_set_last() -> None:
    async def play() -> tuple[list[int], list[int]]:
        server = grpc.aio.server()
        health = Health(server)
        await health.set(serving=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub, question = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
            watch = stub.Watch(question)
            checked, watched = [], []
            for serving in (False, True, False):
                await health.set(serving=serving)
                checked.append((await stub.Check(question)).status)
                watched.append((await watch.read()).status)
            watch.cancel()
        await server.stop(0)
        return checked, watched

    said = [NOT_SERVING, SERVING, NOT_SERVING]
    assert asyncio.run(play()) == (said, said)
