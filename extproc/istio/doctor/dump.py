"""A config dump as bytes, and its sections."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from extproc.core.events import JSON
from extproc.errors import DumpError
from extproc.istio.doctor.node import Node

LARGEST_BYTES = 256 << 20
"""A gateway with ten thousand routes was seen to need a tenth of it."""

DEEPEST = 200
"""Levels of JSON.  Protobuf itself reads 100 messages within each other, each of which is one level or two."""


@dataclass(frozen=True, slots=True)
class Dump:
    """The sections of `/config_dump` that are looked at; `Node(…)` of each element, by the section's type."""

    configs: tuple[Node, ...]

    def section(self, name: str) -> tuple[Node, ...]:
        """The configs of type `envoy.admin.v3.<name>ConfigDump`."""
        return tuple(node for node in self.configs if node.type_name == f"envoy.admin.v3.{name}ConfigDump")

    def each(self, section: str, *fields: str) -> Iterator[Node]:
        """The elements of these repeated fields of a section."""
        for node in self.section(section):
            for field in fields:
                yield from node.each(field)


def _nests_too_deeply(document: JSON) -> bool:
    """What reads messages calls itself for each level.  Level by level, for the depth is the dump's."""
    level = [document]
    for _ in range(DEEPEST):
        members = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        if not (level := [member for several in members for member in several]):
            return False
    return True


def parse_dump(text: bytes) -> Dump:
    """Read what Envoy's `/config_dump` answered, or `istioctl proxy-config all -o json`.

    Raises DumpError for anything else, and for one without listeners: about it nothing can be said.
    """
    if len(text) > LARGEST_BYTES:
        raise DumpError(f"the dump has more than {LARGEST_BYTES >> 20} MiB: is it one gateway's?")
    too_deep = "the dump nests too deeply to be Envoy's"
    try:
        document: JSON = json.loads(text)
    except ValueError:
        raise DumpError("the dump is not JSON, or not all of it: take it anew from /config_dump") from None
    except RecursionError:
        raise DumpError(too_deep) from None
    if _nests_too_deeply(document):
        raise DumpError(too_deep)
    dump = Dump(tuple(Node("", document).each("configs")))
    if not dump.section("Listeners"):
        raise DumpError("the dump has no listeners: take a whole one, from /config_dump without a filter")
    return dump
