"""What the policy saw of a request, beside what was there to be read at the upstream."""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache

from conformance.backends import starlette
from data.backends import Reading, decoded, readings, text_of
from data.oracle import SEEN, Exchange
from data.upstream import Arrival
from engines.reading import exact

from extproc.core.headers import header_text

Difference = tuple[str, object, object]
"""The part and who read it; what the policy saw; what that reader reads."""

# Written after the policy was asked: by it, by us, by Envoy's router.
_BEHIND_THE_POLICY = (b"x-set-seen", b"x-extproc-", b"x-envoy-expected-rq-timeout-ms")
# Envoy frames a body anew: a buffered one keeps neither its chunks nor, where it has no byte, the lack of a length.
_FRAMING = {b"content-length", b"transfer-encoding"}
_CHANGING = {b"x-case", b"traceparent", b"x-request-id"}
_DIGEST = b"sha256:"
_PARTS = ("parsed", "text", "raw")


def differences(exchange: Exchange) -> Iterator[Difference]:
    """Where the upstream reads something else; nothing, where all agree.

    Of an exchange whose response was decided, only the response is looked at.
    """
    if exchange.outcome != SEEN:
        return
    if (told := exchange.reply.field(b"x-set-seen")) is not None:
        yield from _of_the_response(exchange, exact(base64.b64decode(told)))
        return
    (arrival,) = exchange.arrivals
    value = arrival.value(b"x-set-seen") or b""
    if value.startswith(_DIGEST):
        yield from _by_digest(arrival, value.removeprefix(_DIGEST).decode())
    else:
        yield from _part_by_part(arrival, exact(base64.b64decode(value)))


def _of_the_response(exchange: Exchange, seen: dict) -> Iterator[Difference]:
    """The body that came to the client is the upstream's, and the policy saw what a reader of it reads."""
    answer = exchange.case.answer
    if exchange.reply.body != answer.body:
        yield "response", answer.body, exchange.reply.body
    shown = {part: seen[part] for part in _PARTS}
    message = Arrival(b"", b"", tuple((name.lower(), value) for name, value in answer.fields), answer.body)
    for reader, reading in _bodies(message, parsed=bool(seen["parsed"])).items():
        if reading != shown:
            yield f"response by {reader}", shown, reading


def _part_by_part(arrival: Arrival, seen: dict) -> Iterator[Difference]:
    shown = {part: seen[part] for part in _PARTS}
    for reader, reading in _bodies(arrival, parsed=bool(seen["parsed"])).items():
        if reading != shown:
            yield reader, shown, reading
    target = arrival.target
    if seen["target"] != header_text(target):
        yield "target", seen["target"], header_text(target)
    line = {"path": seen["path"], "query": seen["query"]}
    if not seen["flags"] and _line(target) != line:
        yield "line by starlette", line, _line(target)
    told = {name: values for name, values in seen["headers"].items() if name.encode() not in _FRAMING}
    if (headers := _headers(arrival)) != told:
        yield "headers", told, headers


def _bodies(arrival: Arrival, *, parsed: bool) -> dict[str, object]:
    """The three ways in which a body is shown, at most one of them filled, as each reader would fill it."""
    body = decoded(arrival)
    nothing: dict[str, list[Reading]] = {part: [] for part in _PARTS}
    if not body:
        return {"bytes": nothing}
    if parsed:
        return {name: nothing | {"parsed": [reading]} for name, reading in readings(arrival, body).items()}
    if (text := text_of(arrival, body)) is not None:
        return {"text": nothing | {"text": [text]}}
    return {"bytes": nothing | {"raw": [base64.b64encode(body).decode()]}}


@lru_cache(maxsize=1024)
def _line(target: bytes) -> object:
    return starlette(target)


def _headers(arrival: Arrival) -> dict[str, list[str]]:
    """The fields as the policy has them: Envoy's pseudo-headers with them, without what came behind the policy."""
    host = arrival.value(b"host") or b""
    fields = [(b":method", arrival.method), (b":path", arrival.target), (b":authority", host), (b":scheme", b"http")]
    fields += [(name, value) for name, value in arrival.fields if name != b"host"]
    out: dict[str, list[str]] = {}
    for name, value in fields:
        if name not in _CHANGING | _FRAMING and not name.startswith(_BEHIND_THE_POLICY):
            out.setdefault(header_text(name), []).append(header_text(value))
    return out


def _by_digest(arrival: Arrival, digest: str) -> Iterator[Difference]:
    """Nothing but strings is that long, so the text that the policy took the digest of can be written here."""
    state = "complete" if arrival.body else "empty"
    length = {"content-length": [str(len(arrival.body))]} if arrival.body else {}
    for reader, reading in _bodies(arrival, parsed=bool(readings(arrival, decoded(arrival)))).items():
        seen = reading | {
            "state": "opaque" if reading["raw"] else state,
            "target": header_text(arrival.target),
            **_line(arrival.target),
            "flags": [],
            "headers": _headers(arrival) | length,
        }
        if hashlib.sha256(_marshalled(seen)).hexdigest() != digest:
            yield f"{reader}, by digest", digest, seen


def _marshalled(value: object) -> bytes:
    """As Go's encoding/json does it: names sorted, three characters escaped for HTML's sake."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").encode()
