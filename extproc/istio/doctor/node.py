"""Places in a config dump: the value, and the path to it as `jq` takes it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from extproc.core.events import JSON

Key: TypeAlias = str | int

LONGEST_NAME = 120
"""Characters of a name that are shown: Istio's longest cluster names fit."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def shown(name: str) -> str:
    """A name as ASCII without control characters, cut: what a dump holds must not steer a terminal."""
    cut = name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
    return json.dumps(cut)[1:-1]


def camel(name: str) -> str:
    """`lowerCamelCase` of a field's name, as protojson writes it for `istioctl`."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


@dataclass(frozen=True, slots=True)
class Node:
    """One place.  Fields go by their name in the .proto file, and are found in either spelling of protojson."""

    path: str
    value: JSON

    def field(self, name: str) -> "Node | None":
        """The message or scalar in this field, None where it is absent."""
        members = self.members
        for spelling in (name, camel(name)):
            if members.get(spelling) is not None:
                return Node(self.path_to(spelling), members[spelling])
        return None

    def each(self, name: str) -> Iterator["Node"]:
        """The elements of a repeated field."""
        field = self.field(name)
        if field is not None and isinstance(field.value, list):
            for index, value in enumerate(field.value):
                yield Node(f"{field.path}[{index}]", value)

    def entries(self, name: str) -> Iterator[tuple[str, "Node"]]:
        """The entries of a map field."""
        field = self.field(name)
        if field is not None:
            for key, value in field.members.items():
                yield key, Node(field.path_to(key), value)

    def text(self, name: str) -> str:
        """The string in this field; the empty one where it is absent, as in proto3."""
        field = self.field(name)
        return field.value if field is not None and isinstance(field.value, str) else ""

    def path_to(self, key: str) -> str:
        """Where a member is or would be."""
        return f"{self.path}.{key}" if _PLAIN.fullmatch(key) else f'{self.path}["{shown(key)}"]'

    @property
    def members(self) -> Mapping[str, JSON]:
        """Of an object; of anything else none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def type_name(self) -> str:
        """The full name of the message that an Any holds."""
        type_url = self.members.get("@type")
        return type_url.rpartition("/")[2] if isinstance(type_url, str) else ""

    def down(self) -> Iterator["Node"]:
        """Itself and every place below.  A loop, for the depth is the dump's."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            if isinstance(node.value, dict):
                waiting += [Node(node.path_to(key), value) for key, value in reversed(node.value.items())]
            elif isinstance(node.value, list):
                waiting += [Node(f"{node.path}[{index}]", value) for index, value in enumerate(node.value)][::-1]
