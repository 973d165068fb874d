"""JSON to somebody: what a reader that does not look at the type, and is not strict, takes for an object or array.

Such readers, by their defaults: Python's json (any Unicode encoding, NaN, lone surrogates, numbers without end), Go's
Decoder (stops after the first value, replaces what is no UTF-8), Json.NET (comments, single quotes, names without any,
`undefined`, constructors, hexadecimal numbers, empty elements; white space of all Unicode, and NUL for such).
"""

import re
from json import detect_encoding

# char.IsWhiteSpace of .NET (U+180E in its older releases), NUL, which Json.NET skips, and the byte order mark.
_WHITE = "\\0\\t-\\r \\x85\\xa0\\u1680\\u180e\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000\\ufeff"
_SPACE = rf"[{_WHITE}]*+(?:/(?:\*.*?\*/|/[^\r\n]*+)[{_WHITE}]*+)*+"
_CONSTANT = r"(?:null|true|false|undefined|NaN|[-+]?Infinity)\b"
_NUMBER = r"[-+]?(?:0[xX][0-9A-Fa-f]++|(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][-+]?[0-9]++)?+)"
_CONSTRUCTOR = rf"new\b{_SPACE}\w++{_SPACE}\("
_NAME = r"[\w$\x80-\uffff-]++"  # what char.IsLetterOrDigit has, whichever Unicode .NET and Python know
_OBJECT = (  # by its first name
    rf"\{{{_SPACE}(?:[\"'}}]|{_NAME}{_SPACE}:{_SPACE}(?:[\"'{{\[,0-9.+-]|{_CONSTANT}|{_CONSTRUCTOR}))"
)
_CONTAINER = re.compile(
    rf"{_OBJECT}|"
    rf"\[{_SPACE}(?:(?:[0-9]++,)++{_SPACE}|[\[,]{_SPACE}|(?:{_NUMBER}|{_CONSTANT}){_SPACE}(?:,{_SPACE}|(?=\])))*+"
    rf"(?:[\"'\]]|{_CONSTRUCTOR}|{_OBJECT})",  # a list, by the first in it that is no number or constant, or by its end
    re.DOTALL,
)
_BEFORE = re.compile(_SPACE, re.DOTALL)
_UTF8_BEGINNING = re.compile(
    rb"(?:[\0\t-\r ]++|\xc2[\x85\xa0]|\xe1(?:\x9a\x80|\xa0\x8e)|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f"
    rb"|\xe3\x80\x80|\xef\xbb\xbf)*+(?=[{\[/])"
)
_WIDE_FIRST_BYTES = frozenset(b"\0\xfe\xff")


def texts_of(data: bytes) -> list[str]:
    """What the bytes are as text, from a bracket or brace on: one text for each way to read them that begins with one.

    White space and comments before it are left out.  Bytes that are not of the encoding are replaced, as by the readers
    that go on.
    """
    texts = []
    if (beginning := _UTF8_BEGINNING.match(data)) is not None:
        texts.append(data[beginning.end() :].decode("utf-8", "replace"))
    if data[1:2] == b"\0" or (data and data[0] in _WIDE_FIRST_BYTES):
        encoding = detect_encoding(data)  # as Python's json finds it
        if not encoding.startswith("utf-8"):
            texts.append(data.decode(encoding, "replace"))
    begun = [_BEFORE.sub("", text, count=1) for text in texts]
    return [text for text in begun if text.startswith(("{", "["))]


def is_container(text: str) -> bool:
    """Whether a text of `texts_of` begins with an object or array to some reader, whatever follows it.

    An object is one from its first name on, a list from its first text or object on, or where the first of its lists
    ends (`[1]` and `[[1],`, but not `[INFO]`).
    """
    return _CONTAINER.match(text) is not None
