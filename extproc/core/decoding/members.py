"""Members of a JSON object that a protocol gives a meaning."""

import json
from collections.abc import Iterable

import orjson


def exact(data: bytes) -> object:
    """The value of a text that our strict reader passed, each number as its own digits (orjson.Fragment)."""
    value: object = json.loads(data, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    return value


def exact_object(data: bytes) -> dict[str, object]:
    """`exact` of a text that is known to be an object."""
    value: dict[str, object] = json.loads(data, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    return value


def in_other_letters(names: Iterable[str], known: frozenset[str]) -> bool:
    """Whether a name is a known one but for its letters' case.

    Go's reader takes `METHOD` for `method`, and the last of them wins.  It folds some letters beyond ASCII as well.
    """
    folded = {name.casefold() for name in known}
    return any(name not in known and name.casefold() in folded for name in names)
