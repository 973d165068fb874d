"""Where in a request a payload can stand, and how a client writes it there."""

import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

from data.cases import Case, request, typed

_BOUNDARY = "gateway-boundary"
Place = Callable[[str, str, bytes], Case]


def _text(payload: bytes) -> str:
    """JSON and XML have no bytes, only text."""
    return payload.decode("utf-8", "replace")


def _body(media_type: str, write: Callable[[bytes], bytes]) -> Place:
    def build(row: str, source: str, payload: bytes) -> Case:
        head, body = request(b"POST", b"/", [typed(media_type)], write(payload))
        return Case(row, source, head, body, payload=_text(payload))

    return build


def _target(write: Callable[[bytes], bytes]) -> Place:
    def build(row: str, source: str, payload: bytes) -> Case:
        head, _ = request(b"GET", write(payload))
        return Case(row, source, head, payload=_text(payload))

    return build


def _field(name: bytes) -> Place:
    def build(row: str, source: str, payload: bytes) -> Case:
        head, _ = request(b"GET", b"/", [(name, payload)])
        return Case(row, source, head, payload=_text(payload))

    return build


def _form(payload: bytes) -> bytes:
    return b"payload=" + quote_plus(payload).encode()


def _form_name(payload: bytes) -> bytes:
    return quote_plus(payload).encode() + b"=payload"


def _part(name: bytes, payload: bytes, *, file: bytes | None = None) -> bytes:
    """As a browser writes it: quotes and ends of lines in a name are escaped by percent."""
    quoted = [text.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A") for text in (name, file or b"")]
    filename = b'; filename="' + quoted[1] + b'"' if file is not None else b""
    boundary = _BOUNDARY.encode()
    return (
        b"--" + boundary + b'\r\ncontent-disposition: form-data; name="' + quoted[0] + b'"' + filename + b"\r\n"
        b"\r\n" + payload + b"\r\n--" + boundary + b"--\r\n"
    )


def _xml(payload: bytes) -> bytes:
    return f"<payload>{escape(_text(payload))}</payload>".encode()


_MULTIPART = f"multipart/form-data; boundary={_BOUNDARY}"

BODIES: dict[str, Place] = {
    "form value": _body("application/x-www-form-urlencoded", _form),
    "json value": _body("application/json", lambda p: json.dumps({"payload": _text(p)}).encode()),
    "multipart value": _body(_MULTIPART, lambda p: _part(b"payload", p)),
    "multipart file": _body(_MULTIPART, lambda p: _part(b"payload", p, file=b"payload.bin")),
    "xml": _body("application/xml", _xml),
    "text": _body("text/plain; charset=utf-8", bytes),
    "opaque": _body("application/octet-stream", bytes),
}
PLACES: dict[str, Place] = BODIES | {
    "raw form": _body("application/x-www-form-urlencoded", lambda p: b"payload=" + p),
    "form name": _body("application/x-www-form-urlencoded", _form_name),
    "json name": _body("application/json", lambda p: json.dumps({_text(p): "payload"}, ensure_ascii=False).encode()),
    "raw json": _body("application/json", bytes),
    "multipart name": _body(_MULTIPART, lambda p: _part(p, b"payload")),
    "multipart filename": _body(_MULTIPART, lambda p: _part(b"payload", b"payload", file=p)),
    "raw xml": _body("application/xml", bytes),
    "header": _field(b"x-payload"),
    "cookie": _field(b"cookie"),
    "query": _target(lambda p: b"/?payload=" + quote(p, safe="").encode()),
    "query name": _target(lambda p: b"/?" + quote(p, safe="").encode() + b"=payload"),
    "path": _target(lambda p: b"/" + quote(p, safe="").encode()),
    "raw path": _target(lambda p: b"/" + p),
}
