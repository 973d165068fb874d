"""What the policy saw of a request, beside what was there to be read at the upstream."""

import base64
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache

from conformance.backends import starlette
from data.backends import Reading, decoded, readings, text_of
from data.oracle import Exchange
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
_SHOWN = ("state", *_PARTS)


def differences(exchange: Exchange) -> Iterator[Difference]:
    """Where the upstream reads something else; nothing, where all agree.

    Of an exchange whose response was decided, only the response is looked at.
    """
    if not exchange.seen:
        return
    if exchange.verdicts[-1].phase == "response":
        yield from _of_the_response(exchange, exact(base64.b64decode(exchange.reply.field(b"x-set-seen") or b"")))
        return
    (arrival,) = exchange.arrivals
    value = arrival.value(b"x-set-seen") or b""
    if value.startswith(_DIGEST):
        yield from _by_digest(arrival, exchange.outcome, value.removeprefix(_DIGEST).decode())
    else:
        yield from _part_by_part(arrival, exchange.outcome, exact(base64.b64decode(value)))


def _of_the_response(exchange: Exchange, seen: dict) -> Iterator[Difference]:
    """The body that came to the client is the upstream's, and the policy saw what a reader of it reads."""
    answer = exchange.case.answer
    if exchange.reply.body != answer.body:
        yield "response", answer.body, exchange.reply.body
    message = Arrival(b"", b"", tuple((name.lower(), value) for name, value in answer.fields), answer.body)
    for reader, shown, reading in _of_the_body(message, exchange.outcome, seen):
        yield f"response by {reader}", shown, reading


def _of_the_body(message: Arrival, recorded: str, seen: dict) -> Iterator[Difference]:
    shown = {name: seen[name] for name in _SHOWN}
    if recorded != shown["state"]:
        yield "the receipt's state", shown["state"], recorded
    for reader, reading in _bodies(message).items():
        if reading != shown:
            yield reader, shown, reading


def _part_by_part(arrival: Arrival, recorded: str, seen: dict) -> Iterator[Difference]:
    yield from _of_the_body(arrival, recorded, seen)
    target = arrival.target
    if seen["target"] != header_text(target):
        yield "target", seen["target"], header_text(target)
    line = {"path": seen["path"], "query": seen["query"]}
    if not seen["flags"] and _line(target) != line:
        yield "line by starlette", line, _line(target)
    told = {name: values for name, values in seen["headers"].items() if name.encode() not in _FRAMING}
    if (headers := _headers(arrival)) != told:
        yield "headers", told, headers


def _bodies(message: Arrival) -> dict[str, dict[str, object]]:
    """The state and the three ways in which a body is shown, at most one of them filled, as each reader has them.

    Which of them it is, its declared type and its bytes say, never what the policy saw.
    """
    body = decoded(message)
    nothing: dict[str, list[Reading]] = {part: [] for part in _PARTS}
    if not body:
        return {"bytes": {"state": "empty", **nothing}}
    if read := readings(message, body):
        return {name: {"state": "complete", **nothing, "parsed": [reading]} for name, reading in read.items()}
    if (text := text_of(message, body)) is not None:
        return {"text": {"state": "complete", **nothing, "text": [text]}}
    return {"bytes": {"state": "opaque", **nothing, "raw": [base64.b64encode(body).decode()]}}


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


def _by_digest(arrival: Arrival, recorded: str, digest: str) -> Iterator[Difference]:
    """Nothing but strings is that long, so the text that the policy took the digest of can be written here."""
    length = {"content-length": [str(len(arrival.body))]} if arrival.body else {}
    for reader, reading in _bodies(arrival).items():
        if recorded != reading["state"]:
            yield f"the receipt's state by {reader}", recorded, reading["state"]
        seen = reading | {
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
