"""What Envoy forwards is what the policy was shown; where a backend reads something else, a flag said so."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from conformance.backends import Reading, Werkzeug, starlette, werkzeug
from conformance.raw import http1, http2, parsed_head
from conformance.showing import Stage, stage

from extproc.core.headers import header_text
from extproc.core.request_line import Flag, parsed_path, parsed_query, path_flags, query_flags

TABLE = Path(__file__).parent / "request_lines.yaml"

__all__ = ["stage"]  # a fixture


@dataclass(frozen=True)
class Line:
    """One row; the names are the table's."""

    send: bytes
    upstream: bytes
    http2: bool = False
    lax: bool = False
    answer: int | str | dict | None = None
    path: tuple[str, ...] = ()
    query: dict | None = None
    path_flags: tuple[str, ...] = ()
    query_flags: tuple[str, ...] = ()
    starlette: dict | int | None = None
    werkzeug: dict | int | None = None
    why: str = ""

    @property
    def shown(self) -> dict:
        return {
            "path": list(self.path),
            "query": self.query or {},
            "path_flags": list(self.path_flags),
            "query_flags": list(self.query_flags),
        }

    @property
    def reading(self) -> dict:
        return {"path": list(self.path), "query": self.query or {}}


def lines() -> list[Line]:
    out = []
    for given in yaml.safe_load(TABLE.read_text()):
        send = given.pop("send").encode("latin-1")
        upstream = given.pop("upstream").encode("latin-1") if "upstream" in given else send
        out.append(Line(send=send, upstream=upstream, **given))
    return out


LINES = lines()
FORWARDED = [line for line in LINES if line.answer is None]


def _id(line: Line) -> str:
    return ("h2 " if line.http2 else "") + repr(line.send)[2:-1]


@pytest.fixture(scope="module")
def wsgi() -> Iterator[Werkzeug]:
    with werkzeug() as application:
        yield application


@pytest.mark.parametrize("line", [line for line in LINES if not line.lax], ids=_id)
def test_envoy_forwards_the_line_that_the_policy_was_shown(stage: Stage, line: Line) -> None:
    head, arrived = stage.play((http2 if line.http2 else http1)(stage.address, line.send))
    if line.answer is not None:
        assert (answer_of(head), arrived) == (line.answer, [])
        return
    target, fields = parsed_head(*arrived)
    seen = json.loads(base64.b64decode(fields["x-set-seen"]))
    assert target == line.upstream
    assert seen == {"target": header_text(target), "host": fields["host"], **line.shown}


@pytest.mark.parametrize("line", FORWARDED, ids=_id)
def test_a_backend_reads_what_the_policy_reads_unless_the_table_says_why(wsgi: Werkzeug, line: Line) -> None:
    expected: dict[str, Reading] = {
        "starlette": line.reading if line.starlette is None else line.starlette,
        "werkzeug": line.reading if line.werkzeug is None else line.werkzeug,
    }
    assert {"starlette": starlette(line.upstream), "werkzeug": wsgi(line.upstream)} == expected


@pytest.mark.parametrize("line", FORWARDED, ids=_id)
def test_the_core_alone_reads_what_the_table_says(line: Line) -> None:
    path = header_text(line.upstream)
    query = parsed_query(path)
    shown = {
        "path": parsed_path(path),
        "query": query,
        "path_flags": path_flags(path),
        "query_flags": query_flags(path, query),
    }
    assert shown == line.shown


def test_every_difference_between_policy_and_backend_has_a_flag_and_a_reason() -> None:
    differing = [line for line in FORWARDED if line.starlette is not None or line.werkzeug is not None]
    assert [line for line in differing if not (line.why and (line.path_flags or line.query_flags))] == []
    assert [line for line in FORWARDED if line.why and line not in differing] == []


def test_the_table_has_every_flag() -> None:
    assert {flag for line in FORWARDED for flag in (*line.path_flags, *line.query_flags)} == set(Flag)


def answer_of(head: bytes) -> int | str | dict:
    if not head:
        return "none"
    status = int(head.split()[1])
    _, fields = parsed_head(head)
    return {status: fields["location"]} if "location" in fields else status
