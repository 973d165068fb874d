"""Data documents: strict JSON and YAML, mounted and merged as OPA does."""

import json
from collections.abc import Callable, Hashable, Mapping
from pathlib import PurePosixPath
from typing import NoReturn

import yaml
from typing_extensions import override

from extproc.errors import PolicyLoadError


def parse_json(content: bytes, shown: str) -> dict[str, object]:
    """An object; a duplicate key, NaN and bad UTF-8 are errors.  Raises PolicyLoadError."""
    return _parse(content, shown, lambda text: json.loads(text, object_pairs_hook=_object, parse_constant=_constant))


def parse_yaml(content: bytes, shown: str) -> dict[str, object]:
    """The same from YAML 1.1, with string keys and without aliases.  Raises PolicyLoadError."""
    return _parse(content, shown, lambda text: yaml.load(text, Loader=_Plain))  # noqa: S506 - it is a SafeLoader


class _Plain(yaml.SafeLoader):
    """Aliases of aliases make gigabytes of a few lines."""

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias: write the value out")
        return super().compose_node(parent, index)

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys):
            raise yaml.YAMLError("a key that is not text: quote it")
        if len({*keys}) != len(keys):
            raise yaml.YAMLError("an object has the same key twice")
        return super().construct_mapping(node, deep)


def _parse(content: bytes, shown: str, parse: Callable[[str], object]) -> dict[str, object]:
    try:
        return _as_object(parse(content.decode()), shown)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise PolicyLoadError(f"{shown} does not parse: {' '.join(str(error).split())}") from error


def _as_object(value: object, shown: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise PolicyLoadError(f"{shown} must hold an object: OPA mounts it at the folder that it lies in")
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object has the same key twice")
    return document


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def mount(document: dict[str, object], folder: PurePosixPath) -> dict[str, object]:
    """The document under its folder: `limits/data.json` is `data.limits`."""
    for part in reversed(folder.parts):
        document = {part: document}
    return document


def merge(into: dict[str, object], document: Mapping[str, object], shown: str, *, override: bool = False) -> None:
    """Merge objects key by key.  A value that is there gives way if `override`; else it must be equal."""
    for key, value in document.items():
        old = into.get(key)
        if key not in into:
            into[key] = value
        elif isinstance(old, dict) and isinstance(value, dict):
            into[key] = merged = dict(old)
            merge(merged, value, shown, override=override)
        elif override:
            into[key] = value
        elif old != value:
            raise PolicyLoadError(f"{shown}: data.{key} is defined twice with different values: keep one of them")
