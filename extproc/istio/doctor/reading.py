"""From places of a dump to typed messages; what does not fit the types is noted with its path."""

import json
from collections.abc import Collection, Iterator
from typing import TypeVar

import betterproto2

from extproc.core.events import JSON
from extproc.istio.doctor.node import Node, camel

Message = TypeVar("Message", bound=betterproto2.Message)

# What `from_dict` raises for a value of the wrong shape; pydantic's ValidationError is a ValueError.
_MISFITS = (ValueError, TypeError, AttributeError, KeyError, AssertionError, OverflowError, RecursionError)


class Reader:
    """Reads messages; `unknown` and `unreadable` collect the paths of what it could not read.

    A gateway holds most of them many times over, once for each host: the same document is read once.
    """

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.unreadable: list[str] = []
        self._read: dict[tuple[type[betterproto2.Message], str], tuple[betterproto2.Message, list[str]] | None] = {}

    def read(self, node: Node, kind: type[Message], *, leaving: Collection[str] = ()) -> Message | None:
        """The message at this place, without what its Any fields hold: those are places of their own.

        None, with the path noted, where a value is of another type.  Unknown fields are noted and left out, and so are,
        unread, the fields in `leaving`.
        """
        left = {spelling for name in leaving for spelling in (name, camel(name))}
        document = _without_any({key: value for key, value in node.members.items() if key not in left})
        key = (kind, json.dumps(document))
        if key not in self._read:
            self._read[key] = _parsed(document, kind)
        found = self._read[key]
        if found is None:
            self.unreadable.append(node.path)
            return None
        message, unknown = found
        self.unknown += [node.path + path for path in unknown]
        return message if isinstance(message, kind) else None


def _parsed(document: JSON, kind: type[Message]) -> tuple[Message, list[str]] | None:
    """The message, and where its document holds what it does not."""
    try:
        message = kind.from_dict(document, ignore_unknown_fields=True)
        known = message.to_dict(casing=betterproto2.Casing.SNAKE, include_default_values=True)
    except _MISFITS:
        return None
    return message, list(_unknown(Node("", document), known))


def _without_any(value: JSON) -> JSON:
    """A copy without `@type` and without each Any below: most are of types that nobody here needs to know."""
    if isinstance(value, dict):
        return {key: _without_any(member) for key, member in value.items() if key != "@type" and not _is_any(member)}
    if isinstance(value, list):
        return [_without_any(member) for member in value if not _is_any(member)]
    return value


def _is_any(value: JSON) -> bool:
    return isinstance(value, dict) and "@type" in value


def _unknown(node: Node, known: JSON) -> Iterator[str]:
    """The members that the typed message did not take over.  `known` has every field, by its name in the .proto."""
    if isinstance(node.value, dict) and isinstance(known, dict):
        spellings = {spelling: member for name, member in known.items() for spelling in (name, camel(name))}
        for key, value in node.value.items():
            if key not in spellings and key not in known:
                yield node.path_to(key)
            else:
                yield from _unknown(Node(node.path_to(key), value), known.get(key, spellings.get(key)))
    elif isinstance(node.value, list) and isinstance(known, list):
        for index, (value, member) in enumerate(zip(node.value, known, strict=False)):
            yield from _unknown(Node(f"{node.path}[{index}]", value), member)
