"""A gateway with nothing configured but its addresses."""

from pathlib import Path

import pytest

from extproc.istio.binary import envoy_binary
from extproc.istio.gateway import Gateway, TcpAddress


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(
        listen=TcpAddress("127.0.0.1", 0),
        upstream=TcpAddress("127.0.0.1", 8080),
        processors=(TcpAddress("127.0.0.1", 9000),),
    )


@pytest.fixture(scope="session")
def envoy() -> Path:
    return envoy_binary()
