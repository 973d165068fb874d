"""multipart/form-data (RFC 7578, RFC 2046 section 5.1), as strictly as a browser writes it.

Readers of this format forgive different things, so whatever one might forgive is malformed: bytes before the first
boundary and after the last, a boundary anywhere but at a line of its own, be it without its hyphens, bare CR or LF in
the header of a part, folded lines, parts without a name, parameters twice or in another order, escapes in names, names
that one of them cleans.  Files are shown by digest and size.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from html import unescape
from urllib.parse import unquote_to_bytes

import orjson

from extproc.core.decoding import json, media_type
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch, Undecodable

_PARAMETERS = frozenset({"boundary", "charset"})
_BOM = BOM_UTF8.decode()
# bchars of RFC 2046 without the space, which is lost where a reader trims
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=?-]{1,70}")
# Possessive quantifiers: a hostile header costs linear time.
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++):[ \t]*+([^\x00-\x1f\x7f]*+)")
_DISPOSITION = re.compile(
    # The name comes first, as from every client: to multiparty `filename="a.png";name="b.php"` is one file name.
    rb"form-data(?P<parameters>;[ ]*+name=%(value)s(?:;[ ]*+filename=%(value)s)?+"
    rb"(?:;[ ]*+filename\*=utf-8''(?:[0-9A-Za-z!#$&+.^_`|~-]|%%[0-9A-Fa-f]{2})*+)?+)"
    % {b"value": rb'(?:"[^"\\]*+"|[0-9A-Za-z_.-]++)'},
    re.IGNORECASE,
)
_PARAMETER = re.compile(rb';[ ]*(name|filename\*?)=("[^"]*"|[^";]*)', re.IGNORECASE)
_WORD = re.compile(rb"name\*?[ ]*=", re.IGNORECASE)
_ESCAPES = re.compile(rb"%(?:22|0[AD])", re.IGNORECASE)
_ANY_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_IDENTITY = frozenset({b"7bit", b"8bit", b"binary"})
_KNOWN = frozenset({b"content-disposition", b"content-type", b"content-transfer-encoding", b"content-length"})
# Django 4.2 takes a part with a longer header, its blank line counted, for none.
_HEADER_BYTES = 1024
# Django cuts a longer file name, but for its extension.
_FILENAME_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class _Part:
    """One part: a file where there is a `filename`, be it empty, else a field."""

    name: str
    filename: str | None
    media: MediaType
    content: bytes

    def shown(self) -> str | dict[str, object]:
        """A field's text, or the facts of a file."""
        if self.filename is None:
            return _text(self.content)
        return {
            "filename": self.filename,
            "content_type": self.media.name,
            "size": len(self.content),
            "sha256": sha256(self.content).hexdigest(),
        }


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """A JSON object of name to list: the text of a field, {filename, content_type, size, sha256} of a file.

    `content_type` is the part's media type in lower case without parameters, empty where it declares none.  Raises
    TypeMismatch where the body is a JSON object or array; Undecodable for another charset than UTF-8, of the body, of a
    field or by `_charset_`; else Malformed, also for more than `Limits.parts` parts.
    """
    if not media.is_utf8:
        raise Undecodable("a form in a charset other than UTF-8")
    if json.is_container(data, limits):
        raise TypeMismatch("JSON under another declared type")
    parts: dict[str, list[object]] = {}
    for part in _parts(data, _boundary(media), limits.parts):
        if part.name == "_charset_" and part.content.lower() not in {b"utf-8", b"utf8"}:  # RFC 7578 section 4.6
            raise Undecodable("a form in a charset other than UTF-8")
        parts.setdefault(part.name, []).append(part.shown())
    return Decoded(parsed=orjson.dumps(parts))


def _boundary(media: MediaType) -> bytes:
    """The boundary.  No other parameter may stand beside it: some readers search the header for the word."""
    boundary = media.parameters.get("boundary", "")
    if not media.parameters.keys() <= _PARAMETERS or _BOUNDARY.fullmatch(boundary) is None:
        raise Malformed("no boundary that every reader finds")
    return boundary.encode()


def _parts(data: bytes, boundary: bytes, most: int) -> Iterator[_Part]:
    delimiter = b"--" + boundary
    if not 0 < (count := data.count(delimiter)) <= most + 1:
        raise Malformed("no boundary, or too many parts")
    if data.count(boundary) != count:  # Sanic splits there too: what is one file to others has fields in it
        raise Malformed("a boundary without the hyphens before it")
    first, *between, last = data.split(delimiter)
    if first or last not in {b"--", b"--\r\n"}:
        raise Malformed("bytes before the first boundary or after the last, or no last boundary")
    for piece in between:
        if not (piece.startswith(b"\r\n") and piece.endswith(b"\r\n")):
            raise Malformed("a boundary that is not a line of its own")
        header, blank, content = piece[2:-2].partition(b"\r\n\r\n")
        if not blank or len(header) + len(blank) > _HEADER_BYTES:
            raise Malformed("a part without a header or without a blank line after it, or with too long a header")
        yield _part(_fields(header), content)


def _fields(header: bytes) -> dict[bytes, bytes]:
    """The header of a part, by lower-case name."""
    _text(header)  # Django skips a field that is not UTF-8, others read it as Latin-1
    fields: dict[bytes, bytes] = {}
    for line in header.split(b"\r\n"):
        match = _FIELD.fullmatch(line)
        if match is None:
            raise Malformed("a line in a part's header that is no field")
        name = match[1].lower()
        if name in fields or name not in _KNOWN:
            raise Malformed("a field in a part's header that is unknown or there twice")
        fields[name] = match[2]
    return fields


def _part(fields: dict[bytes, bytes], content: bytes) -> _Part:
    name, filename = _names(fields.get(b"content-disposition", b""))
    if fields.get(b"content-transfer-encoding", b"binary").lower() not in _IDENTITY:  # deprecated: RFC 7578 section 4.7
        raise Malformed("a content transfer encoding")
    if fields.get(b"content-length", size := b"%d" % len(content)) != size:
        raise Malformed("a part of another length than it says")
    if filename == "" and content:
        raise Malformed("a file without a name")  # to some readers it is not there
    media = media_type.parse(fields[b"content-type"]) if b"content-type" in fields else MediaType()
    if media is None or media.name.startswith("multipart/"):
        raise Malformed("a part with an unreadable or a nested type")
    if filename is None:
        _check_field(media, content)
    return _Part(name, filename, media, content)


def _check_field(media: MediaType, content: bytes) -> None:
    if media.name == "application/octet-stream":  # a file to busboy
        raise Malformed("a field with the type of a file")
    if content.startswith(BOM_UTF8):  # Node's formData and ASP.NET Core drop it
        raise Malformed("a field that begins with a byte order mark")
    if media.charset == "us-ascii":
        if not content.isascii():
            raise Malformed("a field that is not the ASCII that it says to be")
    elif not media.is_utf8:
        raise Undecodable("a field in a charset other than UTF-8")


def _names(disposition: bytes) -> tuple[str, str | None]:
    match = _DISPOSITION.fullmatch(disposition)
    if match is None:
        raise Malformed("no readable Content-Disposition")
    values = {name.lower(): value.strip(b'"') for name, value in _PARAMETER.findall(match["parameters"])}
    name, filename = values[b"name"], values.get(b"filename")
    if not name or len(_WORD.findall(disposition)) != len(values):
        raise Malformed("a part without a name, or with what a search for a name would find as well")
    if any(_ESCAPES.search(value) for value in (name, filename or b"")):
        raise Malformed("an escape that not every reader undoes")
    extended = values.get(b"filename*")
    # RFC 7578 section 4.2 forbids it, .NET writes it always: let it repeat the filename, and no more.
    if extended is not None and unquote_to_bytes(extended.partition(b"''")[2]) != filename:
        raise Malformed("a second filename")
    return _clean(_text(name)), None if filename is None else _clean_filename(_text(filename))


def _clean(name: str) -> str:
    """The name, if nobody makes another of it.

    Django and Commons FileUpload trim, and the second undoes RFC 2047; aiohttp drops slashes at the beginning, Node's
    formData a byte order mark.
    """
    if name != name.strip().strip(_BOM) or name.startswith("/") or "=?" in name:
        raise Malformed("a name that some readers trim, or take for an encoded word")
    return name


def _clean_filename(filename: str) -> str:
    """The file name, if it is what Django and Rack make of it.

    Django undoes character references and then drops all but the last segment of a path, what is not printable, and the
    whole file where nothing or only dots are left.  Rack undoes escapes where each percent sign begins one.
    """
    if len(filename) > _FILENAME_CHARACTERS or unescape(filename) != filename:
        raise Malformed("a file name that some readers cut, or with a character reference that some undo")
    if "/" in filename or not filename.isprintable() or filename in {".", ".."}:
        raise Malformed("a file name that is a path, or with characters that some readers drop")
    if _ANY_ESCAPE.search(filename):
        raise Malformed("a file name with an escape that some readers undo")
    return _clean(filename)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Malformed("a form that is not UTF-8") from None
