from pathlib import Path

import pytest

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.gateway import Gateway, TcpAddress, UnixAddress
from extproc.istio.mapping import gateway_of, worker_addresses

LISTEN, UPSTREAM, ADMIN = TcpAddress("0.0.0.0", 8080), TcpAddress("upstream", 80), TcpAddress("127.0.0.1", 9901)  # noqa: S104 - a gateway listens everywhere


def test_a_gateway_is_what_the_settings_say() -> None:
    settings = Settings.model_validate(
        {
            "listen": "127.0.0.1:9000",
            "workers": 2,
            "policy": {"paths": [Path("policies")], "mode": "shadow", "points": {"response": None}},
            "blocking": {"failure_status": 429},
            "inspection": {"request_body_bytes": 2048, "response_body_bytes": 4096},
            "mutations": {"request_headers": ["x-user"], "response_headers": ["x-reason"], "path": True},
            "headers": {"prefix": "x-gate-"},
            "envoy": {"message_timeout_ms": 1000},
        }
    )

    assert gateway_of(settings, LISTEN, UPSTREAM, ADMIN, otlp=None) == Gateway(
        listen=LISTEN,
        upstream=UPSTREAM,
        processors=(TcpAddress("127.0.0.1", 9000), TcpAddress("127.0.0.1", 9001)),
        admin=ADMIN,
        request_body_bytes=2048,
        response_body_bytes=4096,
        message_timeout_ms=1000,
        status_on_error=429,
        prefix="x-gate-",
        request_headers=("x-user",),
        response_headers=("x-reason",),
        path=True,
        mode="shadow",
        response_point=False,
        waivers=True,
    )


@pytest.mark.parametrize(
    ("section", "possible"),
    [
        ({"policy": {"paths": ["p"]}}, False),
        ({"policy": {"paths": ["p"], "mode": "off"}}, True),
        ({"policy": {"paths": ["p"], "points": {"headers": "a/b"}}}, True),
        ({"policy": {"paths": ["p"]}, "inspection": {"states": {"request": {"upgrade": "evaluate"}}}}, True),
        ({"policy": {"paths": ["p"]}, "inspection": {"states": {"response": {"stream": "evaluate"}}}}, True),
        ({"policy": {"paths": ["p"]}, "inspection": {"states": {"response": {"partial": "evaluate"}}}}, False),
    ],
)
def test_a_body_can_pass_unseen_only_where_the_configuration_lets_somebody_say_so(
    section: dict[str, object], *, possible: bool
) -> None:
    settings = Settings.model_validate(section)
    assert gateway_of(settings, LISTEN, UPSTREAM, ADMIN, otlp=None).waivers is possible


def test_workers_on_a_socket_have_a_suffix_each() -> None:
    socket = UnixAddress("/run/extproc.sock")

    assert worker_addresses(socket, 2) == (UnixAddress("/run/extproc.sock.0"), UnixAddress("/run/extproc.sock.1"))


def test_a_single_worker_listens_on_the_socket_itself() -> None:
    socket = UnixAddress("/run/extproc.sock")

    assert worker_addresses(socket, 1) == (socket,)


def test_a_port_that_only_the_kernel_knows_is_refused() -> None:
    settings = Settings.model_validate({"listen": "127.0.0.1:0", "policy": {"paths": [Path("policies")]}})

    with pytest.raises(ConfigurationError, match=r"^listen: 127\.0\.0\.1:0 lets the kernel choose a port"):
        gateway_of(settings, LISTEN, UPSTREAM, ADMIN, otlp=None)
