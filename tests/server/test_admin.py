import asyncio
import json
import socket

import aiohttp
import pytest

from extproc import __version__
from extproc.errors import ListenError
from extproc.server.admin import Admin, Sources, WorkerStatus

READY = WorkerStatus(0, "127.0.0.1:9000", ready=True, problem="")
BROKEN = WorkerStatus(1, "", ready=False, problem="receipts cannot be written")


def get(path: str, *workers: WorkerStatus, method: str = "GET") -> tuple[int, str, str]:
    """The status, the content type and the body of one answer."""

    async def ask() -> tuple[int, str, str]:
        admin = Admin(Sources(workers=lambda: [*workers], metrics=lambda: b"up 1\n", jwks=lambda: '{"keys":[]}'))
        address = await admin.listen("127.0.0.1:0")
        try:
            async with aiohttp.ClientSession() as session, session.request(method, f"http://{address}{path}") as answer:
                return answer.status, answer.headers["content-type"], await answer.text()
        finally:
            await admin.close()

    return asyncio.run(ask())


def test_alive_is_alive_whatever_the_workers_do() -> None:
    assert get("/livez", BROKEN) == (200, "text/plain; charset=utf-8", "ok\n")


@pytest.mark.parametrize(
    ("workers", "status"),
    [((READY,), 200), ((READY, READY), 200), ((READY, BROKEN), 503), ((BROKEN,), 503), ((), 503)],
)
def test_ready_means_every_worker_and_at_least_one(workers: tuple[WorkerStatus, ...], status: int) -> None:
    assert get("/readyz", *workers)[0] == status


def test_readiness_says_which_worker_has_what_problem() -> None:
    assert json.loads(get("/readyz", READY, BROKEN)[2]) == {
        "ready": False,
        "workers": [
            {"index": 0, "address": "127.0.0.1:9000", "ready": True, "problem": ""},
            {"index": 1, "address": "", "ready": False, "problem": "receipts cannot be written"},
        ],
    }


@pytest.mark.parametrize(
    ("path", "content_type", "body"),
    [
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8", "up 1\n"),
        ("/jwks.json", "application/jwk-set+json; charset=utf-8", '{"keys":[]}'),
        ("/version", "application/json; charset=utf-8", json.dumps({"name": "extproc", "version": __version__})),
    ],
)
def test_what_the_sources_say_is_passed_on(path: str, content_type: str, body: str) -> None:
    assert get(path) == (200, content_type, body)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("POST", 405), ("DELETE", 405)])
def test_nothing_can_be_changed_here(method: str, status: int) -> None:
    assert get("/livez", method=method)[0] == status


def test_there_is_nothing_else() -> None:
    assert get("/")[0] == 404


def test_it_listens_on_ipv6_too() -> None:
    async def listen() -> str:
        admin = Admin(Sources(workers=list, metrics=bytes, jwks=str))
        address = await admin.listen("[::1]:0")
        await admin.close()
        return address

    assert asyncio.run(listen()).startswith("[::1]:")


def test_a_port_in_use_is_an_error_with_its_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        admin = Admin(Sources(workers=list, metrics=bytes, jwks=str))

        async def listen() -> None:
            try:
                await admin.listen(address)
            finally:
                await admin.close()

        with pytest.raises(ListenError) as raised:
            asyncio.run(listen())
    assert str(raised.value) == (
        f"admin.listen: {address} cannot be bound (Address already in use): name a free address of this machine"
    )
