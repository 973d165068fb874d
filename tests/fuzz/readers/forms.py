"""What web frameworks read of a form: the readers that stand behind a gateway, each by its public way in.

Each takes a content type and a body and gives fields and files by name, in order, or raises its refusal.
"""

import io
import warnings
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeAlias
from unittest import mock

import multipart
from aiohttp import StreamReader, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.handlers.wsgi import WSGIRequest
from django.http.multipartparser import MultiPartParserError
from fuzz.readers import go
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request as WerkzeugRequest

if not settings.configured:
    settings.configure(DATA_UPLOAD_MAX_NUMBER_FIELDS=None, DATA_UPLOAD_MAX_NUMBER_FILES=None)


@dataclass(frozen=True, slots=True)
class File:
    """A file as policies see it; `content_type` in lower case without parameters."""

    filename: str
    content_type: str
    size: int
    sha256: str


Value: TypeAlias = str | File
Reading: TypeAlias = dict[str, list[Value]]
"""By name; fields stand before files, for most readers keep them apart."""


def file(filename: str | None, content_type: str | None, content: bytes) -> File:
    """A file from what a reader says about it."""
    media = (content_type or "").partition(";")[0].strip().lower()
    return File(filename or "", media, len(content), sha256(content).hexdigest())


def reading(pairs: Iterable[tuple[str, Value]]) -> Reading:
    """Values by name, fields first."""
    read: Reading = {}
    for name, value in sorted(pairs, key=lambda pair: isinstance(pair[1], File)):
        read.setdefault(name, []).append(value)
    return read


def _environ(content_type: str, data: bytes) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": str(len(data)),
        "wsgi.input": io.BytesIO(data),
    }


def django(content_type: str, data: bytes) -> Reading:
    """`request.POST` and `request.FILES`."""
    try:
        request = WSGIRequest(_environ(content_type, data))
    except (TypeError, ValueError) as error:  # parameters by RFC 2231 that it cannot put together
        raise BadRequest from error
    fields = [(name, value) for name, values in request.POST.lists() for value in values]
    files = [
        (name, file(each.name, each.content_type, each.read()))
        for name, values in request.FILES.lists()
        for each in values
    ]
    request.close()
    return reading([*fields, *files])


def _multi(values: MultiDict[str, Any]) -> Iterable[tuple[str, Any]]:
    return values.items(multi=True)


def werkzeug(content_type: str, data: bytes) -> Reading:
    """`request.form` and `request.files` of Werkzeug and Flask, empty where their parser fails."""
    with WerkzeugRequest(_environ(content_type, data)) as request:
        files = [(name, file(each.filename, each.content_type, each.read())) for name, each in _multi(request.files)]
        return reading([*_multi(request.form), *files])


def bottle(content_type: str, data: bytes) -> Reading:
    """`multipart.parse_form_data`, from which Bottle's reader comes."""
    fields, uploads = multipart.parse_form_data(_environ(content_type, data), ignore_errors=False)
    files = []
    for name, part in uploads.iterallitems():  # `part.content_type` is a guess where none is declared
        files.append((name, file(part.filename, part.headers.get("content-type"), part.raw)))
        part.close()
    return reading([*fields.iterallitems(), *files])


def starlette(content_type: str, data: bytes) -> Reading:
    """`await request.form()`, which FastAPI's come from."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def read() -> Reading:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode("latin-1"))]}
        form = await Request(scope, receive).form(max_fields=10_000)
        pairs: list[tuple[str, Value]] = []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                pairs.append((name, file(value.filename, value.content_type, await value.read())))
            else:
                pairs.append((name, value))
        await form.close()
        return reading(pairs)

    return _finished(read())


def _finished(coroutine: Coroutine[object, None, Reading]) -> Reading:
    """The result of a coroutine that never waits; an event loop for each would take longer than the reading."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: Reading = end.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine waited")


class AiohttpError(Exception):
    """It takes the body for no form."""


_LOOP = mock.Mock()  # a body that is all there asks it for nothing
_BARE = {name: mock.Mock() for name in ("app", "writer", "transport")}  # nothing of a form is in them


def aiohttp(content_type: str, data: bytes) -> Reading:
    """`await request.post()`; of a field that says to be no text it gives the bytes."""

    async def read() -> Reading:
        payload = StreamReader(BaseProtocol(_LOOP), 2**20, loop=_LOOP)
        payload.feed_data(data)
        payload.feed_eof()
        headers = [("Content-Type", content_type)]
        request = make_mocked_request("POST", "/", headers, payload=payload, loop=_LOOP, **_BARE)
        return reading((name, _value_of_aiohttp(value)) for name, value in (await request.post()).items())

    with warnings.catch_warnings(action="ignore"):  # where it refuses, it leaves files open
        try:
            return _finished(read())
        except (ValueError, LookupError, web.HTTPException) as error:
            refusal = repr(error)
    raise AiohttpError(refusal)


def _value_of_aiohttp(value: str | bytes | bytearray | web.FileField) -> Value:
    if isinstance(value, web.FileField):
        with value.file:
            return file(value.filename, value.headers.get("Content-Type"), value.file.read())
    return value if isinstance(value, str) else value.decode()


def golang(content_type: str, data: bytes) -> Reading:
    """`request.FormValue` and `request.MultipartForm`."""
    return reading(
        (name, value if isinstance(value, str) else _file_of_go(**value))
        for name, values in go.read(content_type, data).items()
        for value in values
    )


def _file_of_go(filename: str, content_type: str, size: int, sha256: str) -> File:
    return File(filename, content_type.partition(";")[0].strip().lower(), size, sha256)


@dataclass(frozen=True, slots=True)
class Reader:
    """One of them; `refusals` are the errors by which it says that it does not take a form, and no others."""

    read: Callable[[str, bytes], Reading]
    refusals: tuple[type[Exception], ...]


READERS = {
    "Django": Reader(django, (MultiPartParserError, BadRequest, SuspiciousOperation)),
    "Werkzeug": Reader(werkzeug, (HTTPException,)),
    "Starlette": Reader(starlette, (MultiPartException,)),
    "multipart": Reader(bottle, (multipart.MultipartError,)),
    "aiohttp": Reader(aiohttp, (AiohttpError,)),
    "Go": Reader(golang, (go.GoError,)),
}
