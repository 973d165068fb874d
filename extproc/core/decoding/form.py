"""application/x-www-form-urlencoded (WHATWG URL, section 5.1), with the leniencies of that reader refused."""

import re
from binascii import a2b_qp

import orjson

from extproc.core.decoding import json
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch, Undecodable

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """A JSON object of name to list of values, in order, as opa-envoy-plugin gives it.

    `+` is a space, blank values and NUL in values are kept, empty pairs (`&&`) are not fields.  Raises Malformed for a
    bad escape, for a semicolon, a byte beyond ASCII or a space at the end that is not escaped, for names or values that
    are not UTF-8, for a name with a NUL or a space before it and for more than `Limits.fields` pairs; Undecodable for
    another charset; TypeMismatch where the body is a JSON object or array.
    """
    if not media.is_utf8:
        raise Undecodable("a form in a charset other than UTF-8")
    if json.is_container(data, limits):
        raise TypeMismatch("JSON under another declared type")
    if data.count(b"&") >= limits.fields:
        raise Malformed("too many fields")
    _check(data)
    return Decoded(parsed=orjson.dumps(_fields(data)))


def _check(data: bytes) -> None:
    """Refuse what a browser escapes and readers differ on."""
    if not data.isascii():  # Latin-1 to Starlette, UTF-8 to Django
        raise Malformed("a byte beyond ASCII that is not escaped")
    if b";" in data:  # text to Django, a separator to Rack 2; Go leaves the whole pair out
        raise Malformed("a semicolon that is not escaped")
    if data[-1:].isspace():  # aiohttp drops it
        raise Malformed("white space at the end that is not escaped")
    if _BAD_ESCAPE.search(data):
        raise Malformed("a percent sign without two hexadecimal digits")


def _fields(data: bytes) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for pair in data.replace(b"+", b" ").split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            fields.setdefault(_decode(name), []).append(_decode(value))
    if any(name.startswith(" ") or "\0" in name for name in fields):
        raise Malformed("a name of which PHP drops the spaces before it, or all from a NUL on")
    return fields


def _decode(text: bytes) -> str:
    if b"%" in text:
        # Quoted-printable is the same code under another sign, decoded in C: 40 times faster than urllib's loop.
        text = a2b_qp(text.replace(b"=", b"%3D").replace(b"%", b"="))
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Malformed("a form that is not UTF-8") from None
