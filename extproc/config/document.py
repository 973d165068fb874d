"""The file as plain values and the line of each key, read strictly: a text that can mean two things is refused.

The scalars are those of YAML 1.2's core schema, in decimal (https://yaml.org/spec/1.2.2/#103-core-schema), so that
`mode: off` is a word and not YAML 1.1's false.  A key is text and stands once in its mapping.  There are no aliases: a
few lines of them can stand for gigabytes.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import yaml
from typing_extensions import override

from extproc.errors import ConfigurationError

MAX_BYTES = 1 << 20
"""What a Kubernetes ConfigMap can hold."""

Lines: TypeAlias = Mapping[tuple[str, ...], int]
"""Counted from 1; the path of a list's item has its index."""

_TEXT = "tag:yaml.org,2002:str"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's way: a class of its own starts without YAML 1.1's

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it out
            raise yaml.MarkedYAMLError(problem="aliases are not read: write it out", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


_NUMBER = list("-+.0123456789")
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", _NUMBER),
    ("float", r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)", _NUMBER),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), _first)


def read_document(file: Path) -> tuple[dict[str, object], Lines]:
    """The keys and values of the file.  Raises ConfigurationError."""
    text = _text(file)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines = dict(_lines(node, (), file))
        document = {} if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{file}: is not YAML: {' '.join(str(error).split())}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file}: is not a configuration: {error}") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f"{file}: must hold a mapping of keys, such as `policy: {{paths: [policies/]}}`")
    return document, lines


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}); name a file with --config") from None
    if len(content) > MAX_BYTES:
        raise ConfigurationError(f"{file}: is larger than {MAX_BYTES >> 20} MiB: this is no configuration")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{file}: is not UTF-8 text") from None


def _lines(node: yaml.Node | None, path: tuple[str, ...], file: Path) -> Iterator[tuple[tuple[str, ...], int]]:
    """The line of each key and item; raises ConfigurationError at a key that is no text, or that was there before."""
    match node:
        case yaml.MappingNode(value=pairs):
            seen: dict[str, int] = {}
            for key, value in pairs:
                line = key.start_mark.line + 1
                if key.tag != _TEXT:
                    raise ConfigurationError(f"{file}:{line}: a key must be text: put it in quotes")
                here = (*path, str(key.value))
                if (first := seen.get(here[-1])) is not None:
                    raise ConfigurationError(f"{file}:{line}: {'.'.join(here)}: is there twice, first in line {first}")
                seen[here[-1]] = line
                yield here, line
                yield from _lines(value, here, file)
        case yaml.SequenceNode(value=items):
            for index, item in enumerate(items):
                yield (*path, str(index)), item.start_mark.line + 1
                yield from _lines(item, (*path, str(index)), file)
        case _:
            return
