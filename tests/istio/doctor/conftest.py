"""One Envoy that makes every mistake of a listener or a cluster, each in a listener of its own."""

import json
import socket

import pytest
from istio.doctor.envoys import dump_of, rendered, side_by_side
from istio.doctor.mistakes import MISTAKES

from extproc.istio.doctor.examine import examine
from extproc.istio.doctor.finding import Expected, Finding
from extproc.istio.gateway import Gateway, TcpAddress

DEADLINE_MS = 150
EXCLUDED = frozenset({"health", "*/of-one-host", "elsewhere/of-another-host"})
GATEWAY = Gateway(
    listen=TcpAddress("127.0.0.1", 0),
    upstream=TcpAddress("127.0.0.1", 8080),
    processors=(TcpAddress("127.0.0.1", 9000),),
)


@pytest.fixture
def expected() -> Expected:
    return Expected(GATEWAY, DEADLINE_MS)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dump of an Envoy that runs what is rendered."""
    return dump_of(rendered(GATEWAY), tmp_path_factory.mktemp("envoy"))


@pytest.fixture(scope="session")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dump of that Envoy."""
    mutations = {name: mistake.mutate for name, mistake in MISTAKES.items()}
    return dump_of(side_by_side(GATEWAY, mutations), tmp_path_factory.mktemp("envoy"))


@pytest.fixture(scope="session")
def found(mistaken: bytes) -> list[Finding]:
    """What the doctor says about it."""
    return examine(
        mistaken,
        Expected(GATEWAY, DEADLINE_MS, excluded_routes=EXCLUDED, clusters=frozenset(MISTAKES) - {"another server"}),
    )


@pytest.fixture(scope="session")
def places(mistaken: bytes) -> dict[str, tuple[str, ...]]:
    """Where the listener and the cluster of each mistake lie."""
    places: dict[str, tuple[str, ...]] = {}
    for number, config in enumerate(json.loads(mistaken)["configs"]):
        for section, inner in (("static_listeners", "listener"), ("static_clusters", "cluster")):
            for index, each in enumerate(config.get(section, [])):
                path = f".configs[{number}].{section}[{index}].{inner}"
                places[each[inner]["name"]] = (*places.get(each[inner]["name"], ()), path)
    return places


@pytest.fixture
def unused_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
