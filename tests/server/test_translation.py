from itertools import product

import pytest

from extproc.config import Settings
from extproc.core.events import Direction
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.rules import Blocking, Limits, Mode, Mutations, Rules
from extproc.istio.gateway import TcpAddress, UnixAddress, address_of
from extproc.istio.mapping import worker_addresses
from extproc.server.translation import (
    STREAMS,
    MemoryBound,
    memory_bound,
    receive_limit_bytes,
    rules_of,
    worker_address,
)


def settings(**changes: object) -> Settings:
    return Settings.model_validate({"policy": {"paths": ["p"]}, **changes})


def test_default_settings_are_the_default_rules_but_for_the_headers_that_a_policy_may_set() -> None:
    allowed = ("x-extproc-*", "content-type", "www-authenticate", "retry-after", "cache-control")
    assert rules_of(settings()) == Rules(mutations=Mutations(response_headers=allowed))


def test_every_setting_reaches_the_rules() -> None:
    given = settings(
        policy={"paths": ["p"], "mode": "shadow", "points": {"headers": "a/h", "request": "a/b", "response": None}},
        blocking={"status": 451, "failure_status": 404, "message": "No", "format": "text"},
        inspection={
            "request_body_bytes": 2048,
            "response_body_bytes": 4096,
            "decoded_bytes": 8192,
            "decoded_ratio": 50,
            "compatibility_bodies": True,
            "states": {"request": {"malformed": "evaluate"}, "response": {"partial": 416, "stream": 499}},
        },
        mutations={"request_headers": ["a"], "response_headers": ["b*"], "path": True},
        headers={"prefix": "x-us-"},
    )
    request = {
        State.OVER_LIMIT: 413,
        State.UNDECODABLE: 415,
        State.MALFORMED: "evaluate",
        State.TYPE_MISMATCH: 415,
        State.NOT_SENT: 403,
        State.UPGRADE: 403,
    }
    hidden = (State.OVER_LIMIT, State.UNDECODABLE, State.MALFORMED, State.TYPE_MISMATCH, State.NOT_SENT)
    response = dict.fromkeys(hidden, 451) | {State.PARTIAL: 416, State.STREAM: 499}
    assert rules_of(given) == Rules(
        mode=Mode.SHADOW,
        request=Limits(2048, 8192, 50),
        response=Limits(4096, 8192, 50, lifts=False),
        states={Direction.REQUEST: request, Direction.RESPONSE: response},
        entrypoints={Point.HEADERS: "a/h", Point.REQUEST: "a/b", Point.RESPONSE: None},
        blocking=Blocking(451, 404, "No", "text"),
        mutations=Mutations(("a",), ("b*",), path=True),
        prefix="x-us-",
        compatibility_bodies=True,
    )


def test_a_message_may_be_as_large_as_envoys_buffer_and_its_headers() -> None:
    one = settings(inspection={"request_body_bytes": 1024, "response_body_bytes": 1 << 21})
    other = settings(inspection={"request_body_bytes": 1 << 21, "response_body_bytes": 1024})
    assert receive_limit_bytes(one) == receive_limit_bytes(other) == (1 << 21) + (64 << 10) + (1 << 20)


def test_the_memory_of_a_worker_is_its_bodies_its_messages_and_one_inspection() -> None:
    mib = 1 << 20
    bound = memory_bound(settings(inspection={"memory_bytes": 3 * mib, "decoded_bytes": 2 * mib}))
    assert bound == MemoryBound(
        bodies=3 * mib, messages=STREAMS * (2 * mib + (64 << 10)), inspection=17 * mib + 60 * 2 * mib
    )
    assert bound.total == bound.bodies + bound.messages + bound.inspection


def test_the_largest_body_counts_where_no_coding_may_unfold_as_far() -> None:
    given = settings(inspection={"response_body_bytes": 4 << 20, "decoded_bytes": 1024})
    assert memory_bound(given).inspection == (17 + 60 * 4) << 20


@pytest.mark.parametrize(
    ("listen", "workers"), list(product(("127.0.0.1:9000", "[::1]:9000", "unix:///run/x.sock"), (1, 3)))
)
def test_a_worker_listens_where_the_rendered_gateway_looks_for_it(listen: str, workers: int) -> None:
    listened = tuple(address_of(worker_address(listen, index, workers)) for index in range(workers))
    assert listened == worker_addresses(address_of(listen), workers)


def test_the_addresses_of_workers() -> None:
    assert [address_of(worker_address("127.0.0.1:9000", index, 2)) for index in range(2)] == [
        TcpAddress("127.0.0.1", 9000),
        TcpAddress("127.0.0.1", 9001),
    ]
    assert address_of(worker_address("unix:///x", 1, 2)) == UnixAddress("/x.1")
    assert worker_address("127.0.0.1:0", 1, 2) == "127.0.0.1:0"
