"""Manifests that somebody has changed, read back."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from extproc.errors import ConfigurationError
from extproc.istio.recognition import check


def check_files(files: Iterable[Path]) -> int:
    """How many EnvoyFilters there are, each of them one that `render` could have printed.

    Raises ConfigurationError that names the file, the patch and the field; also where a file holds no EnvoyFilter.
    """
    return sum(_check_file(file) for file in files)


def _check_file(file: Path) -> int:
    found = 0
    for document in _objects(_documents(file)):
        if document.get("kind") == "EnvoyFilter":
            found += 1
            try:
                check(document)
            except ConfigurationError as error:
                raise ConfigurationError(f"{file}: {error}") from None
    if not found:
        raise ConfigurationError(f"{file}: no EnvoyFilter in it")
    return found


def _objects(documents: Iterable[object]) -> Iterator[dict[str, object]]:
    """Also those of a List, as kubectl prints several."""
    for document in documents:
        if isinstance(document, dict):
            items = document.get("items")
            yield from _objects(items) if isinstance(items, list) else [document]


def _documents(file: Path) -> Iterator[object]:
    try:
        yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file}: {str(error).splitlines()[0]}") from None
