"""What a backend reads from the body of a message, asked of the backends themselves, in the policy's shapes.

A reading is a value as `input.parsed_body` has it, a text, or the backend's refusal.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from io import BytesIO
from xml.etree import ElementTree as ET

import brotli
import lxml.etree
from backports import zstd
from data.upstream import Arrival
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from engines.reading import exact
from starlette.requests import Request as StarletteRequest
from werkzeug import Request as WerkzeugRequest
from werkzeug.http import parse_options_header

if not settings.configured:  # by the fuzzing, where both run in one process
    settings.configure()
settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None
_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Refused:
    """The backend took it for no body of its type."""

    error: str


_SUBTYPES = ("plain", "css", "csv", "html", "javascript", "markdown", "tab-separated-values")
_TEXTS = {f"text/{subtype}" for subtype in _SUBTYPES}
Fields = dict[str, list[object]]
Reading = object | Refused
_UNDO: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.decompress,
    b"x-gzip": gzip.decompress,
    b"deflate": zlib.decompress,
    b"br": brotli.decompress,
    b"zstd": zstd.decompress,
    b"identity": bytes,
}


def decoded(arrival: Arrival) -> bytes:
    """The body without its content coding; where there is no byte, there is nothing to undo."""
    coding = arrival.value(b"content-encoding")
    return arrival.body if coding is None or not arrival.body else _UNDO[coding.lower()](arrival.body)


def media_type(arrival: Arrival) -> tuple[str, dict[str, str]]:
    """The declared type and its parameters, as Werkzeug reads them."""
    declared, parameters = parse_options_header((arrival.value(b"content-type") or b"").decode("latin-1"))
    return declared.lower(), parameters


def readings(arrival: Arrival, body: bytes) -> dict[str, Reading]:
    """What each backend reads that takes the body for a value; none, where it is to all of them but text or bytes.

    Not every backend looks at the type before it reads JSON: an object or array is one under any type, or none.
    """
    readers = _readers(media_type(arrival)[0])
    read = {name: _tried(reader, arrival, body) for name, reader in readers.items()}
    if "json" not in read and isinstance(value := _tried(_python, arrival, body), dict | list):
        read["json"] = value
    return read


def _readers(declared: str) -> dict[str, Callable[[Arrival, bytes], Reading]]:
    if declared in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return _FORMS
    if declared.endswith(("/json", "+json")):
        return _JSON
    return _XML if declared.endswith(("/xml", "+xml")) else {}


def text_of(arrival: Arrival, body: bytes) -> str | None:
    """A text, by its charset; None where the declared type is none of a text."""
    declared, parameters = media_type(arrival)
    if declared not in _TEXTS:
        return None
    return body.decode(parameters.get("charset", "utf-8"))


def _tried(read: Callable[[Arrival, bytes], Reading], arrival: Arrival, body: bytes) -> Reading:
    try:
        return read(arrival, body)
    except Exception as error:  # noqa: BLE001 - a backend refuses in its own words
        return Refused(type(error).__name__)


def _python(_: Arrival, body: bytes) -> Reading:
    return exact(body)


_JSON: dict[str, Callable[[Arrival, bytes], Reading]] = {"json": _python}


def _file(filename: str | None, content_type: str | None, data: bytes) -> dict[str, object]:
    declared = (content_type or "").partition(";")[0].strip().lower()
    digest = hashlib.sha256(data).hexdigest()
    return {"filename": filename or "", "content_type": declared, "size": len(data), "sha256": digest}


def _grouped(pairs: Iterable[tuple[str, object]]) -> Fields:
    out: Fields = {}
    for name, value in pairs:
        out.setdefault(name, []).append(value)
    return out


def _starlette(arrival: Arrival, body: bytes) -> Fields:
    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def read() -> Fields:
        scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": list(arrival.fields)}
        async with StarletteRequest(scope, receive).form(max_files=_MOST, max_fields=_MOST) as form:
            return _grouped(
                [
                    (name, value)
                    if isinstance(value, str)
                    else (name, _file(value.filename, value.content_type, await value.read()))
                    for name, value in form.multi_items()
                ]
            )

    return _finished(read())


def _finished(reading: Coroutine[object, object, Fields]) -> Fields:
    """Run what waits for nothing: the body is here."""
    try:
        reading.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a form in memory had to be waited for")


def _environ(arrival: Arrival, body: bytes) -> dict[str, object]:
    """By PEP 3333 the values of an environment are bytes read as Latin-1."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "backend.test",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(body),
        "CONTENT_TYPE": (arrival.value(b"content-type") or b"").decode("latin-1"),
        "CONTENT_LENGTH": str(len(body)),
    }


def _werkzeug(arrival: Arrival, body: bytes) -> Fields:
    with WerkzeugRequest(_environ(arrival, body)) as request:
        request.max_form_parts, request.max_form_memory_size = _MOST, None
        fields = [(name, value) for name, value in request.form.items(multi=True)]
        parts = [
            (name, _file(part.filename, part.content_type, part.read()))
            for name, part in request.files.items(multi=True)
        ]
        return _grouped([*fields, *parts])


def _django(arrival: Arrival, body: bytes) -> Fields:
    request = WSGIRequest(_environ(arrival, body))
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    parts = [
        (name, _file(part.name, part.content_type, part.read()))
        for name, values in request.FILES.lists()
        for part in values
    ]
    return _grouped([*fields, *parts])


_FORMS: dict[str, Callable[[Arrival, bytes], Reading]] = {
    "starlette": _starlette,
    "werkzeug": _werkzeug,
    "django": _django,
}


def _lxml(_: Arrival, body: bytes) -> Reading:
    return _element(lxml.etree.fromstring(body, lxml.etree.XMLParser(resolve_entities=False, no_network=True)))


def _expat(_: Arrival, body: bytes) -> Reading:
    return _element(ET.fromstring(body))  # noqa: S314 - the policy let no document type pass


def _element(element: ET.Element) -> dict[str, object]:
    children: list[object] = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str):
            children += [_element(child), child.tail or ""]
        else:  # a comment: what stands around it is one text
            children[-1] = f"{children[-1]}{child.tail or ''}"
    return {
        "name": element.tag,
        "attributes": dict(element.attrib),
        "children": [child for child in children if child != ""],
    }


_XML: dict[str, Callable[[Arrival, bytes], Reading]] = {"lxml": _lxml, "expat": _expat}
