"""The regression tests of the OWASP Core Rule Set, as go-ftw would send them, and as its upstream would answer them.

go-ftw percent-encodes the bodies of forms anew; here they are sent as they are written, which is harder to read.
"""

import base64
import json
from collections.abc import Iterator

import yaml
from data.cases import Answer, Case, files, format_of, request, typed

_FORM = "application/x-www-form-urlencoded"


def requests() -> Iterator[Case]:
    """Each stage of each test is a request; a multipart body, whose lines end in LF, is sent with CR LF once more."""
    for source, given in _inputs():
        head, body = _request(given)
        row, payload = f"coreruleset/{format_of(head, body)}", str(given.get("data", ""))
        yield Case(row, source, head, body, payload=payload)
        if row.endswith("multipart") and "data" in given:
            head, body = _request(given | {"data": given["data"].replace("\r", "").replace("\n", "\r\n")})
            yield Case(f"{row} of CR LF", source, head, body, payload=payload)


def responses() -> Iterator[Case]:
    """The tests of rules for responses: their upstream, albedo, answers on /reflect with the body that it is told."""
    for source, given in _inputs():
        if source.startswith("RESPONSE-"):
            head, body = _request(given)
            payload = str(given.get("data", ""))
            yield Case("coreruleset/response", source, head, body, payload=payload, answer=_answer(given))


def _inputs() -> Iterator[tuple[str, dict]]:
    for file in files("coreruleset/tests/regression/tests", "*/*.yaml"):
        document = yaml.load(file.read_bytes(), yaml.CSafeLoader) or {}  # one file has nothing but comments
        for test in document.get("tests") or ():
            for stage in test["stages"]:
                yield f"{file.parent.name}/{file.name}:{test['test_id']}", stage.get("stage", stage)["input"]


def _request(given: dict) -> tuple[bytes, bytes]:
    if "encoded_request" in given:
        head, _, body = base64.b64decode(given["encoded_request"]).partition(b"\r\n\r\n")
        return head + b"\r\n", body
    fields = {str(name): str(value) for name, value in (given.get("headers") or {}).items()}
    body = given["data"].encode() if "data" in given else None
    known = {name.lower() for name in fields}
    if given.get("autocomplete_headers", True) and body and "content-type" not in known:
        fields["Content-Type"] = _FORM
    head, body = request(
        given.get("method", "GET").encode(),
        given.get("uri", "/").encode(),
        [(name.encode(), value.encode()) for name, value in fields.items()],
        body,
    )
    return head.replace(b" HTTP/1.1\r\n", b" " + given.get("version", "HTTP/1.1").encode() + b"\r\n", 1), body


def _answer(given: dict) -> Answer:
    try:
        told = json.loads(given.get("data", ""))
    except ValueError:
        return Answer()
    body = told.get("body", "").encode()
    return Answer((typed("text/html" if body.lstrip().startswith(b"<") else "text/plain"),), body)
