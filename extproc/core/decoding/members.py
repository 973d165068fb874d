"""Members of a JSON object that a protocol gives a meaning."""

import json
import re
from collections.abc import Iterable

import orjson

# Integers that orjson cannot write, or not as they stood there; digits of fractions and strings do no harm.
_ODD_INTEGER = re.compile(rb"[0-9]{19}|-0")


def exact(data: bytes) -> object:
    """The value of a text that our strict reader passed, for orjson to write again with every number's own digits.

    Numbers are integers where that keeps their digits, else orjson.Fragment, which takes 130 bytes.
    """
    integer = orjson.Fragment if _ODD_INTEGER.search(data) else int
    value: object = json.loads(data, parse_int=integer, parse_float=orjson.Fragment)
    return value


def in_other_letters(names: Iterable[str], known: frozenset[str]) -> bool:
    """Whether a name is a known one but for its letters' case.

    Go's reader takes `METHOD` for `method`, and the last of them wins.  It folds some letters beyond ASCII as well.
    """
    folded = {name.casefold() for name in known}
    return any(name not in known and name.casefold() in folded for name in names)
