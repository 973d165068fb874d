r"""Texts and rows of any length, as a receipt shows them; extproc.core.canonical says how much room they have.

A text over its limit keeps its beginning and ends in `~` and 16 hexadecimal digits of the SHA-256 of the whole.  A lone
surrogate, which JSON cannot carry, becomes `?`.  Lengths are in bytes of JSON text, where U+0000 takes six (`\u0000`).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TypeAlias

import orjson

from extproc.core.events import JSON

Row: TypeAlias = tuple[str, ...]

_PLAIN = re.compile(r"[ !#-\[\]-~]*")  # each character one byte, without an escape
_MARK = 17  # `~` and 16 digits


def encode(value: Mapping[str, JSON] | list[Row] | str) -> bytes:
    """Give the one byte form by RFC 8785.

    **It is not checked** that all keys are ASCII, that no number is a float and that no integer is past 2**53 - 1.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def fit(text: str, limit_bytes: int) -> str:
    """Cut a text that is longer; where not even the mark has room nothing is left of it."""
    if len(text) <= limit_bytes and _PLAIN.fullmatch(text):
        return text
    text = clean(text)
    if _size(text) <= limit_bytes:
        return text
    if limit_bytes < _MARK:
        return ""
    room = limit_bytes - _MARK
    kept = bisect_right(range(1, room + 1), room, key=lambda length: _size(text[:length]))
    beginning = text[:kept]
    return f"{beginning}~{sha256(text.encode()).hexdigest()[: _MARK - 1]}"


def rows_digest(rows: Iterable[Row]) -> str:
    """Give the SHA-256, in hexadecimal digits, of the rows' whole texts."""
    return sha256(encode([tuple(clean(text) for text in row) for row in rows])).hexdigest()


def clean(text: str) -> str:
    """Give what JSON can carry of it."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _size(text: str) -> int:
    return len(encode(text)) - 2
