"""Bodies that are text, and bodies that do not say what they are.

Browsers and most libraries take a charset's label as WHATWG Encoding does, others as IANA registered it.  Both read the
bytes that we decode in the same way; what they read differently is undecodable.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import replace

from extproc.core.decoding import graphql, json
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import TypeMismatch, Undecodable

_CODECS = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Charsets that we decode; without one a text is UTF-8 (RFC 6657 leaves the default to the type)."""

_UTF16_BOMS = (BOM_UTF16_LE, BOM_UTF16_BE)
_BOMS = (BOM_UTF8, *_UTF16_BOMS)
_C1 = re.compile(rb"[\x80-\x9f]")


def plain(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """`text/plain`: the text, or `parsed` alone where it is a JSON object or array.

    Raises Undecodable for a charset that is unknown or that the bytes break, and for JSON whose bytes are others in
    UTF-8; Malformed for JSON against our rules.
    """
    text = _decode(data, media)
    if (utf8 := text.encode()) != data and json.is_container(utf8, limits):
        raise Undecodable("JSON in a charset other than UTF-8")
    return json.sniff(data, limits) or Decoded(text=text)


def other(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """Another type of text: the text.  Raises Undecodable, and TypeMismatch where it is a JSON object or array."""
    text = _decode(data, media)
    if any(json.is_container(each, limits) for each in {data, text.encode()}):
        raise TypeMismatch("JSON under another declared type")
    return Decoded(text=text)


def graphql_document(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """`application/graphql`: a text, and what is lifted from it.  Raises as `other`, and Malformed."""
    decoded = other(data, media, limits)
    if not limits.lifts:
        return decoded
    return replace(decoded, lifted=(("graphql", graphql.lift_document(decoded.text or "")),))


def undeclared(data: bytes, _media: MediaType, limits: Limits) -> Decoded:
    """No Content-Type: a JSON object or array is parsed, all else is opaque.  Raises Malformed."""
    return json.sniff(data, limits) or Decoded()


def _decode(data: bytes, media: MediaType) -> str:
    codec = _CODECS.get(media.charset)
    if codec is None:
        raise Undecodable("an unknown charset")
    _check_marks(data, codec)
    if codec == "latin-1" and _C1.search(data):  # windows-1252 to WHATWG, control characters to IANA
        raise Undecodable("bytes that mean two things in ISO-8859-1")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise Undecodable("bytes outside of the charset") from None


def _check_marks(data: bytes, codec: str) -> None:
    """A byte order mark overrules the label for WHATWG and is text to others; without one, `utf-16` is either order."""
    match codec:
        case "utf-8":
            return
        case "utf-16":
            fine = data.startswith(_UTF16_BOMS)
        case _:
            fine = not data.startswith(_BOMS)
    if not fine:
        raise Undecodable("a byte order mark that is missing or contradicts the charset")
