"""GoTestWAF: each payload by each of its encoders in each of its placeholders, as that scanner writes them."""

import base64
import json
from collections.abc import Callable, Iterator
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

import yaml
from data.cases import Case, files, format_of, request, typed

Written = tuple[bytes, bytes]
_FORM = typed("application/x-www-form-urlencoded")
_BOUNDARY = "95ab7d49a1cd4bb2a4b6bd3f"

_ENCODERS: dict[str, Callable[[str], str]] = {
    "Plain": str,
    "URL": quote_plus,
    "Base64Flat": lambda payload: base64.b64encode(payload.encode()).decode().rstrip("="),
}


def requests() -> Iterator[Case]:
    """822 requests; 141 of them are no attacks."""
    for file in files("gotestwaf/testcases", "*/*.yml"):
        given = _document(file.read_text())
        for number, payload in enumerate(given["payload"]):
            for encoder in given["encoder"]:
                for placeholder in given["placeholder"]:
                    name, setting = _named(placeholder)
                    head, body = _write(name, setting, _ENCODERS[encoder](payload))
                    source = f"{file.parent.name}/{file.name}[{number}] {encoder} {name}"
                    yield Case(f"gotestwaf/{format_of(head, body)}", source, head, body, payload=payload)


def _document(text: str) -> dict:
    """Three files have an escape that YAML does not know."""
    try:
        return dict(yaml.safe_load(text))
    except yaml.YAMLError:
        return dict(yaml.safe_load(text.replace("\\'", "'")))


def _named(placeholder: str | dict) -> tuple[str, dict]:
    if isinstance(placeholder, str):
        return placeholder, {}
    ((name, setting),) = placeholder.items()
    return name, setting


def _write(name: str, setting: dict, payload: str) -> Written:
    match name, setting.get("method"):
        case "RawRequest", _:
            return _raw(setting, payload)
        case "GraphQL", "GET":
            return request(b"GET", b"/?query=" + payload.encode())
        case _:
            return _PLACEHOLDERS[name](payload)


def _raw(setting: dict, payload: str) -> Written:
    fields = [(name.encode(), value.encode()) for name, value in setting.get("headers", {}).items()]
    body = setting["body"].replace("{{payload}}", payload) if "body" in setting else None
    path = setting["path"].replace("{{payload}}", payload)
    return request(setting["method"].encode(), path.encode(), fields, None if body is None else body.encode())


def _post(media_type: tuple[bytes, bytes], body: str | bytes) -> Written:
    return request(b"POST", b"/", [media_type], body.encode() if isinstance(body, str) else body)


def _multipart(payload: str) -> Written:
    lines = [f"--{_BOUNDARY}", 'Content-Disposition: form-data; name="payload"', "", payload, f"--{_BOUNDARY}--", ""]
    return _post(typed(f"multipart/form-data; boundary={_BOUNDARY}"), "\r\n".join(lines))


def _soap(payload: str) -> Written:
    return _post(
        typed("text/xml; charset=utf-8"),
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:web="http://www.example.test/">'
        f"<soapenv:Header/><soapenv:Body><web:check>{escape(payload)}</web:check></soapenv:Body></soapenv:Envelope>",
    )


def _grpc(payload: str) -> Written:
    """One message whose field 1 is the payload; its lengths are below 128 bytes."""
    text = payload.encode()
    message = b"\x0a%c" % len(text) + text
    return _post(typed("application/grpc"), b"\0" + len(message).to_bytes(4, "big") + message)


_PLACEHOLDERS: dict[str, Callable[[str], Written]] = {
    "URLPath": lambda payload: request(b"GET", b"/" + payload.encode()),
    "URLParam": lambda payload: request(b"GET", b"/?payload=" + payload.encode()),
    "Header": lambda payload: request(b"GET", b"/", [(b"x-payload", payload.encode())]),
    "UserAgent": lambda payload: request(b"GET", b"/", [(b"user-agent", payload.encode())]),
    "HTMLForm": lambda payload: _post(_FORM, "payload=" + payload),
    "HTMLMultipartForm": _multipart,
    "JSONRequest": lambda payload: _post(typed("application/json"), json.dumps({"test": True, "payload": payload})),
    "GraphQL": lambda payload: _post(typed("application/json"), payload),
    "XMLBody": lambda payload: _post(typed("application/xml"), payload),
    "SOAPBody": _soap,
    "gRPC": _grpc,
}
