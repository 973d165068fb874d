"""ModSecurity's own regression tests.

They are read by its parsers without HTTP, so the lengths in them are made up: `content-length` is given anew, and
`transfer-encoding` left out.
"""

import json
from collections.abc import Iterator

from data.cases import Answer, Case, Fields, files, format_of, request

_FRAMING = {"content-length", "transfer-encoding"}


def requests() -> Iterator[Case]:
    """Each test that has a request; 27 are about directives alone."""
    for source, test in _tests():
        head, body = _request(test["request"])
        yield Case(f"modsecurity/{format_of(head, body)}", source, head, body, payload=body.decode("utf-8", "replace"))


def responses() -> Iterator[Case]:
    """Each test whose response has a body; the ends of lines that some fields carry could not have been sent."""
    for source, test in _tests():
        if body := _body(test.get("response", {}).get("body")):
            head, sent = request(b"GET", b"/")
            fields = _fields(test["response"].get("headers", {}))
            answer = Answer(tuple((name, value.strip()) for name, value in fields), body)
            yield Case(
                "modsecurity/response", source, head, sent, payload=body.decode("utf-8", "replace"), answer=answer
            )


def _tests() -> Iterator[tuple[str, dict]]:
    for file in files("modsecurity/test/test-cases/regression", "*.json"):
        for number, test in enumerate(json.loads(file.read_bytes())):
            if "request" in test:
                yield f"{file.name}[{number}]", test


def _request(given: dict) -> tuple[bytes, bytes]:
    version = str(given.get("http_version", "1.1")).encode()
    head, body = request(
        given.get("method", "GET").encode(),
        given.get("uri", "/").encode(),
        _fields(given.get("headers", {})),
        _body(given.get("body")) or None,
    )
    return head.replace(b" HTTP/1.1\r\n", b" HTTP/" + version + b"\r\n", 1), body


def _fields(given: dict | str) -> Fields:
    """A text in place of the members is an empty one."""
    pairs = given.items() if isinstance(given, dict) else ()
    return tuple((name.encode(), str(value).encode()) for name, value in pairs if name.lower() not in _FRAMING)


def _body(given: list[str] | str | None) -> bytes:
    """Lines end in LF, the last one too, as its runner has it."""
    match given:
        case None:
            return b""
        case list():
            return "".join(line + "\n" for line in given).encode()
        case _:
            return given.encode()
