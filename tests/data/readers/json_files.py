"""JSONTestSuite and orjson's data: each file is a body of its own, in both directions."""

from collections.abc import Iterator
from pathlib import Path

from data.cases import Answer, Case, files, request, typed

_FOLDERS = {
    "json-test-suite": ("json-test-suite", "test_*/*.json"),
    "orjson": ("orjson/data", "*/*.json"),
}


def requests() -> Iterator[Case]:
    """Each file under `application/json`."""
    for row, source, data in _texts():
        head, body = request(b"POST", b"/", [typed("application/json")], data)
        yield Case(f"{row}/json", source, head, body)


def responses() -> Iterator[Case]:
    """The same in the other direction."""
    for row, source, data in _texts():
        head, _ = request(b"GET", b"/")
        yield Case(f"{row}/response json", source, head, answer=Answer((typed("application/json"),), data))


def _texts() -> Iterator[tuple[str, str, bytes]]:
    for row, (folder, pattern) in _FOLDERS.items():
        for file in files(folder, pattern):
            yield row, _name(file), file.read_bytes()


def _name(file: Path) -> str:
    return f"{file.parent.name}/{file.name}"
