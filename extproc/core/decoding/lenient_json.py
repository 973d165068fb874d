"""JSON to somebody: what a reader that does not look at the type, and is not strict, takes for an object or array.

Such readers, by their defaults: Python's json (any Unicode encoding, NaN, lone surrogates, numbers without end), Go's
Decoder (stops after the first value, replaces what is no UTF-8), Json.NET (comments, single quotes, names without any).
"""

import re
from codecs import BOM_UTF8
from json import JSONDecodeError, JSONDecoder, detect_encoding

_SPACE = r"(?:\s++|/\*.*?\*/|//[^\r\n]*)*+"
_LITERAL = r"(?:[\"'{\[\d.+-]|(?:null|true|false|NaN|Infinity|undefined)\b)"
_BEGINNING = re.compile(rf"{_SPACE}(?=[{{\[])", re.DOTALL)
_SURELY = re.compile(
    rf"{_SPACE}(?:"
    rf"(?:\[{_SPACE})*+\{{{_SPACE}(?:[\"'}}]|[\w$-]++{_SPACE}:{_SPACE}{_LITERAL})"  # an object, by its first name
    rf"|(?:\[{_SPACE})++[\"'])",  # a list that begins with a string
    re.DOTALL,
)
_DECODER = JSONDecoder(strict=False, parse_int=str, parse_float=str, parse_constant=str)
"""A number is a text: to compute a long one takes quadratic time."""
_FIRST_BYTES = frozenset(b"\0\xef\xfe\xff \t\n\r\v\f{[/")


def text_of(data: bytes) -> str:
    """What such a reader reads from bytes that may begin with an object or array; empty where they cannot.

    Of UTF-8 the ASCII characters are right, and no others mean anything here; of other encodings it is as much as is
    text.
    """
    if not data or (data[0] not in _FIRST_BYTES and data[1:2] != b"\0"):
        return ""
    encoding = detect_encoding(data)
    if encoding in {"utf-8", "utf-8-sig"}:
        return data.removeprefix(BOM_UTF8).decode("latin-1")
    try:
        return data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as error:
        return data[: error.start].decode(encoding, "surrogatepass")


def may_be_container(text: str) -> bool:
    """Whether a bracket or brace is the first that is no space or comment."""
    return _BEGINNING.match(text) is not None


def is_container(text: str) -> bool:
    """Whether the text begins with an object or array to some reader, whatever follows it.

    An object is one from its first name on, a list from its first text; other lists (`[1]`, but not `[INFO]`) are read,
    which takes some 30 ms for each megabyte, and more where they are dense.
    """
    if _SURELY.match(text):
        return True
    beginning = _BEGINNING.match(text)
    return beginning is not None and text[beginning.end()] == "[" and _is_read(text, beginning.end())


def _is_read(text: str, start: int) -> bool:
    try:
        _DECODER.raw_decode(text, start)
    except JSONDecodeError:
        return False
    except RecursionError:  # nobody writes so many brackets but to be read
        return True
    return True
