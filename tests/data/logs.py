"""Payloads in a log, in whatever way the log writes a text.

Of what a log says, each thing is looked at once: it says a thousand times the same, with other numbers.
"""

import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

_SHORTEST_BYTES = 12  # shorter ones are words that any log has


def payloads_in(log: str, payloads: Iterable[str]) -> list[str]:
    """Those of which the whole, or a line, stands there."""
    said = "\n".join({_without_numbers(text) for line in log.split("\n") for text in _texts(line)})
    return [payload for payload in payloads if any(form in said for form in _forms(payload))]


def _texts(line: str) -> Iterator[str]:
    """The line, and every text in it if it is JSON: a text that was escaped twice is there escaped once."""
    yield line
    try:
        value: object = json.loads(line)
    except ValueError:
        return
    yield from _texts_of(value)


def _texts_of(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for each in value:
                yield from _texts_of(each)
        case dict():
            yield from _texts_of([*value, *value.values()])


def _forms(payload: str) -> set[str]:
    texts = {text for text in (payload, *payload.splitlines()) if _size(text) >= _SHORTEST_BYTES}
    return {_without_numbers(form) for text in texts for form in _escaped(text)}


def _escaped(text: str) -> tuple[str, ...]:
    """As it is; as JSON, ASCII or not; as Python shows a text and bytes; as a request line has it."""
    data = _bytes(text)
    quoted = (json.dumps(text), json.dumps(text, ensure_ascii=False), repr(text))
    return text, *(form[1:-1] for form in quoted), repr(data)[2:-1], quote(data, safe=""), quote(data), quote_plus(data)


def _size(text: str) -> int:
    return len(_bytes(_without_numbers(text)))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _without_numbers(text: str) -> str:
    return re.sub(r"[0-9]+", "0", text)
