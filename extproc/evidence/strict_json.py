"""JSON objects as our own writer makes them: what a lenient reader would forgive is a forgery here."""

import json
from typing import NoReturn

from extproc.core.events import JSON
from extproc.errors import VerificationError


def strict_object(text: bytes) -> dict[str, JSON]:
    """Read one object in UTF-8: no key twice, no float, no NaN.  Raises VerificationError."""
    try:
        value: JSON = json.loads(
            text.decode(), object_pairs_hook=_unique, parse_float=_refuse_number, parse_constant=_refuse_number
        )
    except (ValueError, RecursionError):
        raise VerificationError("not JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise VerificationError("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise VerificationError("a JSON object with the same key twice")
    return members


def _refuse_number(text: str) -> NoReturn:
    raise VerificationError(f"a number that is no integer: {text[:32]}")
