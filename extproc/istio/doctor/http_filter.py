"""One HTTP filter of a dump, wherever it stands."""

from dataclasses import dataclass

from extproc.istio.doctor.node import Node

WITH_MATCHER = "envoy.extensions.common.matching.v3.ExtensionWithMatcher"


@dataclass(frozen=True, slots=True)
class Filter:
    """One HTTP filter; `config` is its `typed_config`."""

    node: Node
    name: str
    config: Node

    @property
    def type_name(self) -> str:
        """The full name of its configuration's message."""
        return self.config.type_name

    @property
    def kinds(self) -> frozenset[str]:
        """That, and what is wrapped in it (ExtensionWithMatcher), at any depth."""
        found, config = {self.type_name}, self.config
        while config.type_name == WITH_MATCHER:
            wrapped = config.field("extension_config")
            config = config_of(wrapped or Node(config.path_to("extension_config"), None))
            found.add(config.type_name)
        return frozenset(found)


def filter_at(node: Node) -> Filter:
    """The HTTP filter at this place."""
    return Filter(node, node.text("name"), config_of(node))


def config_of(place: Node) -> Node:
    """Its `typed_config`, or where that would be."""
    return place.field("typed_config") or Node(place.path_to("typed_config"), None)
