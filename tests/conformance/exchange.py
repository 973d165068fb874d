"""The values of the table: a row, what it sends, and what was seen from outside."""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import yaml

Pairs = tuple[tuple[str, str], ...]


def _pairs(value: object) -> Pairs:
    """A mapping, or a list of [name, value] where a name repeats."""
    if isinstance(value, dict):
        return tuple((str(k), str(v)) for k, v in value.items())
    return tuple((str(k), str(v)) for k, v in value or ())


def _body(value: object) -> bytes | None:
    """Text, `{base64: ...}`, `{repeat: [one of these, n]}`, a list of these, or None where there is no body."""
    match value:
        case None:
            return None
        case {"base64": text}:
            return base64.b64decode(text)
        case {"repeat": [one, times]}:
            return (_body(one) or b"") * times
        case list():
            return b"".join(_body(one) or b"" for one in value)
        case _:
            return str(value).encode()


def _raw(lines: list[str]) -> bytes:
    """The lines of a head, each ended as HTTP/1.1 ends it, and last the body, which ends as it says."""
    return "\r\n".join(lines).encode("latin-1")


@dataclass(frozen=True)
class Message:
    """A request or a response as one side writes it; `framing` is length, chunked or none.

    `raw` is written in place of all the rest, byte by byte; with `half_close` nothing follows it.
    """

    headers: Pairs = ()
    body: bytes | None = None
    framing: str = "length"
    trailers: Pairs = ()
    method: str = "GET"
    target: str = "/"
    status: int = 200
    raw: bytes | None = None
    half_close: bool = False

    @classmethod
    def read(cls, given: dict) -> "Message":
        known = dict(given)
        body, headers = _body(known.pop("body", None)), _pairs(known.pop("headers", ()))
        trailers = _pairs(known.pop("trailers", ()))
        framing = known.pop("framing", "chunked" if trailers else "length")
        raw = _raw(known.pop("raw")) if "raw" in known else None
        return cls(body=body, headers=headers, trailers=trailers, framing=framing, raw=raw, **known)


@dataclass(frozen=True)
class Row:
    """One exchange and what must be seen of it."""

    name: str
    request: Message
    answer: Message
    expect: dict
    config: dict = field(default_factory=dict)
    only: str = ""


@dataclass(frozen=True)
class Seen:
    """What was seen from outside: by the client, by the upstream (None where nothing reached it), in the log."""

    client: Message
    upstream: Message | None
    receipts: tuple[dict, ...]


def rows(folder: Path) -> list[Row]:
    """Every row of every file, in order."""
    out = []
    for file in sorted(folder.glob("*.yaml")):
        for given in yaml.safe_load(file.read_text()):
            script = _script(given.get("decide", {}), "x-decide") + _script(given.get("echo", {}), "x-echo")
            script += tuple((f"x-trouble-{point}", word) for point, word in given.get("trouble", {}).items())
            request = Message.read(given.get("request", {}))
            request = Message(**{**vars(request), "headers": request.headers + script})
            out.append(
                Row(
                    name=given["name"],
                    request=request,
                    answer=Message.read(
                        {"body": '{"ok": true}', "headers": {"content-type": "application/json"}}
                        | given.get("upstream", {})
                    ),
                    expect=given["expect"],
                    config=given.get("config", {}),
                    only=given.get("only", ""),
                )
            )
    return out


def _script(by_point: dict, name: str) -> Pairs:
    return tuple((f"{name}-{point}", json.dumps(value)) for point, value in by_point.items())
