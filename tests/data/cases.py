"""One case of a data set: a request as bytes, and what the upstream answers to it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

DATA = Path(os.environ.get("EXTPROC_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))

Fields = tuple[tuple[bytes, bytes], ...]
_NAMED = b"x-case"
_FORMATS: dict[str, tuple[bytes, ...]] = {
    "form": (b"application/x-www-form-urlencoded",),
    "json": (b"/json", b"+json"),
    "multipart": (b"multipart/form-data",),
    "xml": (b"/xml", b"+xml"),
    "text": (b"text/plain", b"text/html"),
    "grpc": (b"application/grpc",),
}
_HOST: Fields = ((b"host", b"gateway.test"),)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the upstream answers; `content-length` is added."""

    fields: Fields = ()
    body: bytes = b""
    status: int = 200


@dataclass(frozen=True, slots=True)
class Case:
    """`row` is its row of the table, `source` says where it stands; `payload` is what no log may hold.

    `head` is the request line and the fields, each line with its end, but for the empty line; `body` is what follows.
    """

    row: str
    source: str
    head: bytes
    body: bytes = b""
    payload: str = ""
    answer: Answer = field(default=Answer())

    def wire(self, number: int) -> bytes:
        """The bytes to send, with a number and a trace by which they are found again behind the gateway."""
        line, end, rest = self.head.partition(b"\n")
        named = b"%s: %d\r\ntraceparent: 00-%032x-%016x-01\r\n" % (_NAMED, number, number, 1)
        return line + end + named + rest + b"\r\n" + self.body


def number_of_trace(trace_id: str) -> int:
    """The number of the case whose trace this is."""
    return int(trace_id, 16)


def number_of(fields: Fields) -> int:
    """The number of the case that a request belongs to; -1 for one that no case has sent."""
    return int(dict(fields).get(_NAMED, b"-1"))


def request(
    method: bytes, target: bytes, fields: Sequence[tuple[bytes, bytes]] = (), body: bytes | None = None
) -> tuple[bytes, bytes]:
    """Head and body with a host and a true `content-length`, where `fields` have none."""
    given = {name.lower() for name, _ in fields}
    lines = [*(() if b"host" in given else _HOST), *fields]
    if body is not None and not given & {b"content-length", b"transfer-encoding"}:
        lines.append((b"content-length", b"%d" % len(body)))
    head = method + b" " + target + b" HTTP/1.1\r\n" + b"".join(n + b": " + v + b"\r\n" for n, v in lines)
    return head, body or b""


def typed(media_type: str) -> tuple[bytes, bytes]:
    """The field that declares a body."""
    return b"content-type", media_type.encode("latin-1")


def files(folder: str, pattern: str) -> list[Path]:
    """The files of a set, in order; a set that is not there is a failure, never a skip."""
    found = sorted((DATA / folder).glob(pattern))
    assert found, f"no test data in {DATA / folder}: set EXTPROC_TEST_DATA"
    return found


def format_of(head: bytes, body: bytes) -> str:
    """What a request says its body is: the last part of its row's name."""
    if not body:
        return "no body"
    lines = (line.partition(b":") for line in head.split(b"\n")[1:])
    declared = next((value for name, _, value in lines if name.strip().lower() == b"content-type"), b"")
    media_type = declared.partition(b";")[0].strip().lower()
    for name, ends in _FORMATS.items():
        if media_type.endswith(ends):
            return name
    return "other type" if media_type else "no type"
