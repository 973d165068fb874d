"""Bodies that are text, and bodies that do not say what they are."""

from extproc.core.decoding import json
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
}
"""Charsets that we decode; without one a text is UTF-8 (RFC 6657 leaves the default to the type)."""


def plain(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """`text/plain`: the text, or `parsed` alone where it is a JSON object or array.

    Raises Undecodable for a charset that is unknown or that the bytes break, Malformed for JSON against our rules.
    """
    text = _decode(data, media)
    return json.sniff(data, media, limits) or Decoded(text=text)


def other(data: bytes, media: MediaType, _limits: Limits) -> Decoded:
    """Any other `text/*`: the text.  Raises Undecodable, and TypeMismatch where it is a JSON object or array."""
    text = _decode(data, media)
    if json.is_container(data):
        raise TypeMismatch("JSON under another declared type")
    return Decoded(text=text)


def undeclared(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """No Content-Type: a JSON object or array is parsed, all else is opaque.  Raises Malformed."""
    return json.sniff(data, media, limits) or Decoded()


def _decode(data: bytes, media: MediaType) -> str:
    codec = _CODECS.get(media.charset)
    if codec is None:
        raise Undecodable("an unknown charset")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        raise Undecodable("bytes outside of the charset") from None
