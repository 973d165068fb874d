"""The licences of everything that is linked into the library, taken from where it was taken itself."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from libopa_build.toolchain import GO_WHEEL

_NAMES = re.compile(r"(licen[sc]e|copying|copyright|notice|patents|unlicense)([.-][\w.-]+)?", re.IGNORECASE)
_RULE = "=" * 78
_PREFACE = """\
libopa.so contains the software below, each part under its own licence. The whole texts follow.
"""


@dataclass(frozen=True, slots=True)
class Package:
    """A Go package that is linked in; `module` is `PATH VERSION` and lies in `root`, the package itself in `folder`."""

    module: str
    root: Path
    folder: Path


def notices(packages: Iterable[Package], go_root: Path, zig: str | None) -> str:
    """A list of the components with their licence files, then each different text once."""
    components: dict[str, dict[str, Path]] = {}
    for package in packages:
        components.setdefault(package.module, {}).update(_between(package))
    components = dict(sorted(components.items()))
    components["Go's runtime and standard library"] = {path.name: path for path in _of_go(go_root)}
    if zig:
        components["Zig's compiler runtime"] = {path.name: path for path in _here(Path(zig).parent)}
    return "\n".join([_PREFACE, *_list(components), "", *_texts(components)])


def _between(package: Package) -> dict[str, Path]:
    """The licence files from the package's folder up to the module's: a package may hold what others wrote."""
    folders = [folder for folder in (package.folder, *package.folder.parents) if folder.is_relative_to(package.root)]
    return {str(path.relative_to(package.root)): path for folder in folders for path in _here(folder)}


def _here(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if _NAMES.fullmatch(path.name) and _is_text(path))


def _is_text(path: Path) -> bool:
    return path.is_file() and path.suffix != ".go"


def _of_go(go_root: Path) -> list[Path]:
    """Those of an unpacked Go; the wheel has them among its metadata."""
    if found := list(_here(go_root)):
        return found
    try:
        listed = files(GO_WHEEL) or []
    except PackageNotFoundError:
        return []
    return [Path(str(path.locate())) for path in listed if "licenses" in path.parts]


def _list(components: dict[str, dict[str, Path]]) -> Iterator[str]:
    for component, texts in components.items():
        yield f"- {component}: {', '.join(sorted(texts)) or 'NO LICENCE FILE'}"


def _texts(components: dict[str, dict[str, Path]]) -> Iterator[str]:
    owners: dict[str, list[str]] = {}
    for component, texts in components.items():
        for name, path in sorted(texts.items()):
            text = path.read_text(encoding="utf-8", errors="replace").strip()
            owners.setdefault(text, []).append(f"{component}: {name}")
    for text, names in owners.items():
        yield "\n".join([_RULE, *names, _RULE, "", text, ""])
