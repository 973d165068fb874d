"""Data documents: strict JSON and YAML, mounted and merged as OPA does.

A number keeps the digits that it was written with, as those of an input do: it is a piece of JSON text from here to the
policy, never a float.
"""

import json
import re
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from math import isfinite
from pathlib import PurePosixPath
from typing import NoReturn, TypeAlias

import orjson
import yaml
from typing_extensions import override

from extproc.errors import PolicyLoadError

Document: TypeAlias = dict[str, object]
"""An object whose numbers are orjson.Fragment."""
_MAX_DIGITS, _MAX_EXPONENT_DIGITS = 1_100, 3
"""About those of an input (extproc.core.decoding.json), so that a policy can compare the two: exponents have as many
digits as there; before them are at most so many characters, sign and point counted, where an input has fewer digits in
a row."""
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ELSEWHERE = re.compile(rf"[-+]?0(?:[xX][0-9a-fA-F]+|[bB][01]+|[oO][0-7]+)|{_DECIMAL.pattern}")
"""What OPA's reader takes for a number, once the underscores are gone."""
_STRING = "tag:yaml.org,2002:str"


def parse_json(content: bytes, shown: str) -> Document:
    """An object; a duplicate key, NaN, bad UTF-8 and a number that no input may hold are errors.  PolicyLoadError."""
    return _parse(content, shown, _from_json)


def parse_plain(content: bytes, shown: str) -> dict[str, object]:
    """The same with Python's numbers.  Raises PolicyLoadError."""
    return _parse(content, shown, lambda text: json.loads(text, object_pairs_hook=_object, parse_constant=_constant))


def parse_yaml(content: bytes, shown: str) -> Document:
    """The same from YAML 1.1, with string keys and without aliases.  Raises PolicyLoadError."""
    return _parse(content, shown, lambda text: yaml.load(text, Loader=_Plain))  # noqa: S506 - it is a SafeLoader


def of_values(data: Mapping[str, object], shown: str) -> Document:
    """The same of Python's values; a float is what its shortest text says.  Raises PolicyLoadError."""
    try:
        return parse_json(json.dumps(data, allow_nan=False).encode(), shown)
    except (TypeError, ValueError) as error:
        raise PolicyLoadError(f"{shown} holds a value that is not JSON ({error})") from error


def write(document: Document) -> bytes:
    """Compact JSON with sorted keys, numbers as they were written.  Raises PolicyLoadError."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME)
    except orjson.JSONEncodeError as error:
        raise PolicyLoadError(
            f"the data document is not JSON ({error}): quote dates and other YAML types, nest at most 254 levels"
        ) from error


class _Plain(yaml.SafeLoader):
    """Aliases of aliases make gigabytes of a few lines."""

    @override
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias: write the value out")
        node = super().compose_node(parent, index)
        if isinstance(node, yaml.ScalarNode):
            self._check_scalar(node)
        return node

    def _check_scalar(self, node: yaml.ScalarNode) -> None:
        """A scalar is what its own text says; only `!!str` may say otherwise."""
        resolve: Callable[[type[yaml.Node], str, tuple[bool, bool]], str] = self.resolve
        plain = node.style is None
        own = resolve(yaml.ScalarNode, node.value, (plain, not plain))
        if node.tag not in {own, _STRING}:
            raise yaml.YAMLError(f"a tag beside `{node.value}`, which readers take differently: leave it out")
        if plain and own == _STRING and _ELSEWHERE.fullmatch(node.value.replace("_", "")):
            raise yaml.YAMLError(f"`{node.value}`, a number for one reader and text for another: quote it")

    @override
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if not all(isinstance(key, str) for key in keys):
            raise yaml.YAMLError("a key that is not text: quote it")
        if len({*keys}) != len(keys):
            raise yaml.YAMLError("an object has the same key twice")
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> orjson.Fragment:
        """YAML's own spellings by their values; exact, but for integers in other bases never by way of a float."""
        text = self.construct_scalar(node).replace("_", "")
        if _NUMBER.fullmatch(text):
            return _number(text)
        if node.tag.endswith(":int") and ":" not in text:
            return _number(str(self.construct_yaml_int(node)))
        if not _DECIMAL.fullmatch(text):
            raise yaml.YAMLError("a number that JSON has not: write it in digits")
        _number(text)  # before a long one is computed with
        return _number(f"{Decimal(text):f}" if "e" not in text.lower() else str(Decimal(text)))

    def construct_word(self, node: yaml.ScalarNode) -> bool:
        """YAML 1.1's `yes` and `off` are text for OPA's reader."""
        if node.value.lower() not in {"true", "false"}:
            raise yaml.YAMLError(
                f"`{node.value}`, a truth for one reader and text for another: quote it, or write true"
            )
        return bool(self.construct_yaml_bool(node))

    def refuse_pairs(self, node: yaml.Node) -> NoReturn:
        """A list of objects for OPA's reader, one of lists for ours."""
        raise yaml.YAMLError(f"`!!{node.tag.rpartition(':')[2]}`, which JSON has not: write a list or an object")


_Plain.add_constructor("tag:yaml.org,2002:bool", _Plain.construct_word)
for _kind in ("omap", "pairs"):
    _Plain.add_constructor(f"tag:yaml.org,2002:{_kind}", _Plain.refuse_pairs)
for _kind in ("int", "float"):
    _Plain.add_constructor(f"tag:yaml.org,2002:{_kind}", _Plain.construct_number)
_Plain.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"(?:{_DECIMAL.pattern})\Z"), list("-+.0123456789"))
_Plain.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?0o[0-7]+\Z"), list("-+0"))
"""PyYAML takes `1e3` and `0o17` for text, OPA's reader does not."""


def _from_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_constant)


def _number(text: str) -> orjson.Fragment:
    mantissa, _, exponent = text.lower().partition("e")
    short = len(mantissa) <= _MAX_DIGITS and len(exponent.lstrip("+-")) <= _MAX_EXPONENT_DIGITS
    if not (short and isfinite(float(text))):
        raise ValueError("a number beyond those of a double, or too long")
    return orjson.Fragment(text)


def _parse(content: bytes, shown: str, parse: Callable[[str], object]) -> Document:
    try:
        return _as_object(parse(content.decode()), shown)
    except (ValueError, yaml.YAMLError, RecursionError, TypeError, LookupError, AttributeError) as error:
        raise PolicyLoadError(f"{shown} does not parse: {' '.join(str(error).split())}") from error


def _as_object(value: object, shown: str) -> Document:
    if not isinstance(value, dict):
        raise PolicyLoadError(f"{shown} must hold an object: OPA mounts it at the folder that it lies in")
    return value


def _object(pairs: list[tuple[str, object]]) -> Document:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object has the same key twice")
    return document


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def mount(document: Document, folder: PurePosixPath) -> Document:
    """The document under its folder: `limits/data.json` is `data.limits`."""
    for part in reversed(folder.parts):
        document = {part: document}
    return document


def merge(into: Document, document: Mapping[str, object], shown: str, *, override: bool = False) -> None:
    """Merge objects key by key.  A value that is there gives way if `override`; else it must be written alike."""
    for key, value in document.items():
        old = into.get(key)
        if key not in into:
            into[key] = value
        elif isinstance(old, dict) and isinstance(value, dict):
            into[key] = merged = dict(old)
            merge(merged, value, shown, override=override)
        elif override:
            into[key] = value
        elif write({key: old}) != write({key: value}):
            raise PolicyLoadError(f"{shown}: data.{key} is defined twice with different values: keep one of them")
