"""The `.manifest` of a bundle or folder: its revision, and the roots that all that is loaded from it must lie in.

As OPA has it (v1/bundle/bundle.go, https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format):
without `roots` it may hold anything, `rego_version` must be 1, and `metadata` and names that OPA does not know mean
nothing.  `wasm` is refused, for its modules would stand in for rules.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TypeAlias

from extproc.engines.documents import Document, parse_plain
from extproc.errors import PolicyLoadError

Place: TypeAlias = tuple[str, ...]
"""A path below `data`."""
MANIFEST = PurePosixPath(".manifest")
_ANYTHING: tuple[Place, ...] = ((),)
_PACKAGE = re.compile(
    r"(?:\s|#.*\n)*package[ \t]+"
    r'(?P<place>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\["[^"\\\n]*"\])*)'
    r"[ \t\r]*(?:#.*)?(?:\n|\Z)",
    re.ASCII,
)
_SEGMENT = re.compile(r'\["([^"]*)"\]|(\w+)', re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What counts of it; by default what holds where there is none."""

    revision: str = ""
    roots: tuple[Place, ...] = _ANYTHING

    def check_module(self, text: str, shown: str) -> None:
        """Raise PolicyLoadError for a module whose package lies outside of the roots."""
        if self.roots == _ANYTHING:
            return
        found = _PACKAGE.match(text)
        if found is None:
            raise PolicyLoadError(
                f"{shown}: its package cannot be told, and the manifest has roots: begin with a line like `package a.b`"
            )
        place = tuple(quoted or name for quoted, name in _SEGMENT.findall(found["place"]))
        if not self._holds(place):
            raise self._outside(shown, place)

    def check_data(self, document: Document, shown: str) -> None:
        """Raise PolicyLoadError for a document that has a value outside of the roots."""
        for place in self._ends(document, ()):
            if not self._holds(place):
                raise self._outside(shown, place)

    def _ends(self, value: object, place: Place) -> Iterator[Place]:
        """Of each branch the first place that does not lie on the way to a root."""
        if isinstance(value, dict) and any(
            len(root) > len(place) and root[: len(place)] == place for root in self.roots
        ):
            for key, member in value.items():
                yield from self._ends(member, (*place, key))
        else:
            yield place

    def _holds(self, place: Place) -> bool:
        return any(place[: len(root)] == root for root in self.roots)

    def _outside(self, shown: str, place: Place) -> PolicyLoadError:
        roots = ", ".join("/".join(root) for root in self.roots) or "none"
        where = ".".join(("data", *place))
        return PolicyLoadError(f"{shown}: {where} is outside of the manifest's roots ({roots}): move it, or add a root")


def read_manifest(content: bytes, shown: str) -> Manifest:
    """Raises PolicyLoadError."""
    manifest = parse_plain(content, shown)
    if manifest.get("rego_version", 1) != 1 or manifest.get("file_rego_versions"):
        raise PolicyLoadError(f"{shown}: only Rego v1 is evaluated: build the bundle with `opa build --v1-compatible`")
    if manifest.get("wasm"):
        raise PolicyLoadError(
            f"{shown}: Wasm modules are not evaluated: build the bundle with `opa build --target rego`"
        )
    revision = manifest.get("revision", "")
    if not isinstance(revision, str):
        raise PolicyLoadError(f"{shown}: `revision` must be a string")
    return Manifest(revision, _roots(manifest, shown))


def _roots(manifest: Mapping[str, object], shown: str) -> tuple[Place, ...]:
    roots = manifest.get("roots")
    if roots is None:
        return _ANYTHING
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        raise PolicyLoadError(f"{shown}: `roots` must be a list of strings such as `orders/limits`")
    places = [tuple(root.strip("/").split("/")) if root.strip("/") else () for root in roots]
    for number, one in enumerate(places):
        for other in places[:number]:
            if one[: len(other)] == other or other[: len(one)] == one:
                raise PolicyLoadError(
                    f"{shown}: the roots `{'/'.join(other)}` and `{'/'.join(one)}` overlap: name the wider one alone"
                )
    return tuple(places)
