"""Forms: what we read, every framework that does not refuse it reads alike."""

import orjson
from fuzz.properties.target import LIMITS, Target, decoded
from fuzz.readers.forms import READERS, File, Reading, reading

from extproc.core.decoding import media_type

URLENCODED = b"application/x-www-form-urlencoded"
MULTIPART = b"multipart/form-data; boundary=XX"
FIELD = b'Content-Disposition: form-data; name="a"'


def urlencoded(data: bytes) -> int:
    """A form by its bytes."""
    return _compare(URLENCODED, data)


def multipart(data: bytes) -> int:
    """A multipart form by its bytes."""
    return _compare(MULTIPART, data)


def part(header: bytes) -> int:
    """A multipart form by the header of its only part: most differences are there, and few inputs get that far.

    Its content is beyond ASCII, so that a charset shows.
    """
    return _compare(MULTIPART, b"--XX\r\n" + header + "\r\n\r\né\r\n--XX--\r\n".encode())


def content_type(value: bytes) -> int:
    """A form by its Content-Type, around a body with the boundary that we find there."""
    media = media_type.parse(value)
    if media is None:
        return 0
    assert media.name == media.name.lower().strip()
    if media.name == "multipart/form-data":
        boundary = media.parameters.get("boundary", "").encode("latin-1")
        return _compare(value, b"--%b\r\n%b\r\n\r\n1\r\n--%b--\r\n" % (boundary, FIELD, boundary))
    if media.name == "application/x-www-form-urlencoded":
        return _compare(value, b"a=%C3%A9")
    return 0


def _compare(declared: bytes, data: bytes) -> int:
    seen = decoded(declared, data)
    if seen is None:
        return 0
    assert seen.parsed is not None
    ours = _reading(seen.parsed)
    count = sum(map(len, ours.values()))
    assert count <= (LIMITS.parts if declared.lower().startswith(b"multipart") else LIMITS.fields)
    compared = 0
    for name, reader in READERS.items():
        try:
            theirs = reader.read(declared.decode("latin-1"), data)
        except reader.refusals:
            continue
        assert theirs == _explained(name, ours), f"{name} reads {theirs}, we read {ours}"
        compared += 1
    return compared


def _reading(parsed: bytes) -> Reading:
    return reading(
        (name, File(**value) if isinstance(value, dict) else value)
        for name, values in orjson.loads(parsed).items()
        for value in values
    )


def _explained(reader: str, ours: Reading) -> Reading:
    """What docs/inspection.md says that a reader makes of it.

    To Django, aiohttp and multipart a file without a name and content is an empty field; multipart drops fields that
    have no name.
    """
    if reader not in {"Django", "aiohttp", "multipart"}:
        return ours
    return reading(
        (name, "" if isinstance(value, File) and not value.filename else value)
        for name, values in ours.items()
        for value in values
        if name or reader != "multipart"
    )


def _part(header: bytes = FIELD, content: bytes = b"1") -> bytes:
    return b"--XX\r\n" + header + b"\r\n\r\n" + content + b"\r\n"


_FILE = FIELD + b'; filename="b.txt"\r\nContent-Type: text/plain'
_HEADERS = (
    FIELD,
    _FILE,
    b"form-data",
    b"Content-Disposition: ",
    b"Content-Type: ",
    b"Content-Length: 1",
    b"Content-Length: 2",
    b"; charset=",
    b"; charset*=''latin1",
    b"us-ascii",
    b"utf-8",
    b"a",
    b"\r\n",
)
_PARAMETERS = b"name= filename= filename*=utf-8'' boundary= charset= \" ; %22 \\ ' *0 < > &#46; &amp .. / =?utf-8?q?a?="
_SPACES = (
    b" ",
    b"\t",
    b"\0",
    b"\x0b",
    b"\x1c",
    b"\r",
    b"\n",
    b"\r\n",
    *"\u00a0 \u0085 \u2028 \u3000".encode().split(b" "),
)
_BYTES = (*_SPACES, *"\u200b \ufeff é İ".encode().split(b" "), b"\x7f", b"\x80", b"\xff")
_PIECES = (*_PARAMETERS.split(), b'\r\nContent-Type: a/b; c="', *_BYTES)

TARGETS = {
    "form": Target(
        urlencoded,
        len(READERS),
        {"an escape and a blank value": b"a=1&b=%C3%A9&a=", "spaces and empty pairs": b"a+b=c%2Bd&&e"},
        (*b"a = & + ; % %C3%A9 %00 %20 %u00e9 %E2%80%A8 [ ]".split(), *_BYTES),
        (b"a=1;b=2&=c", b"a=1\r\n"),
    ),
    "multipart": Target(
        multipart,
        len(READERS),
        {
            "a field": _part() + b"--XX--\r\n",
            "a field of ASCII": _part(FIELD + b"\r\nContent-Type: text/plain; charset=us-ascii") + b"--XX--",
            "a file and a field": _part(_FILE) + _part(content=b"\r\n--") + b"--XX--",
            "no part": b"--XX--\r\n",
        },
        (b"--XX", b"--", b"--XX--", b"\r\n\r\n", b"1", *_HEADERS, *_BYTES),
    ),
    "multipart_part": Target(
        part,
        len(READERS),
        {"a field": FIELD, "a file": _FILE, "its name twice": FIELD + b"; filename=b; filename*=utf-8''b"},
        (*_HEADERS, *_PIECES),
        (
            _FILE + b'; c="\xff"',
            FIELD.replace(b'"a"', b'"/a"'),
            FIELD + b"\r\nContent-Type: text/plain; charset=us-ascii",
            FIELD + b"\r\nContent-Type: text/plain; charset*=us-ascii''iso-8859-1",
        ),
    ),
    "content_type": Target(
        content_type,
        len(READERS),
        {
            "multipart": MULTIPART,
            "a form and its charset": URLENCODED + b"; charset=utf-8",
            "other letters and quotes": b'multipart/form-data; Boundary="a/b"; charset=UTF-8',
        },
        (MULTIPART, URLENCODED, b"x", b"=", b",", *_PIECES),
        (
            b'Multipart/Form-Data;\tBoundary="a/b"; charset=UTF-8',
            URLENCODED + b"; charset*=us-ascii''iso-8859-1",
            URLENCODED + b"; a*=b''%20",
            URLENCODED + b"; a*=b; a*0*=c",
        ),
    ),
}
