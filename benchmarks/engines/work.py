"""What is evaluated: two policies on one document in four sizes."""

from pathlib import Path

from benchmarks.works import order
from extproc.core.point import Point

POLICIES = {"simple": Point.REQUEST, "walk": Point.RESPONSE}
"""By name; an engine has an entrypoint for each decision point, so that each policy gets one of them."""
ENTRYPOINTS: dict[Point, str | None] = {point: f"bench/{name}/decision" for name, point in POLICIES.items()}
FOLDER = Path(__file__).with_name("policies")
SIZES = {"690 B": 690, "5 KB": 5 << 10, "16 KB": 16 << 10, "128 KB": 128 << 10}
RESULT = {"allowed": True}
PATIENCE_S = 30.0
"""Every engine has a deadline, as in a server; none comes near it."""


def document(size: int) -> bytes:
    """The input: an order of about so many bytes as the parsed body."""
    return b'{"parsed_body":%b}' % order(size - len(b'{"parsed_body":}'))
