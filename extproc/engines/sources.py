"""Where policies come from: files, folders and bundles become one PolicySet.

Names and layout are OPA's (https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format): `*.rego` are
modules, `data.json` and `data.yaml` are mounted at the folder that they lie in, `.manifest` has the revision and the
roots.  Tests (`*_test.rego`) and hidden files are left out.  Where there are bundle keys, nothing but signed bundles is
read; without them **signatures are not checked**.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from os import walk
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from extproc.engines.archive import MAX_BYTES, read_archive
from extproc.engines.documents import Document, merge, mount, of_values, parse_json, parse_yaml, write
from extproc.engines.manifest import MANIFEST, Manifest, read_manifest
from extproc.engines.signatures import BundleKey, verify
from extproc.errors import PolicyLoadError

_DATA = {"data.json": parse_json, "data.yaml": parse_yaml, "data.yml": parse_yaml}
_REFUSED = {
    ".rego": "a module needs a name before `.rego`: rename it",
    "patch.json": "delta bundles are not read: build a whole one with `opa build`",
}
"""What OPA reads and we do not: the first wherever it lies but at the top of a folder, the second in every bundle."""


Stamp: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Everything that an engine evaluates.

    `modules` maps the name that errors show to Rego v1 text; `data` is the base document, as compact JSON with sorted
    keys and numbers as they were written.  `policy_digest` is the SHA-256 of one line `<name> <SHA-256 of the text>`
    for each module, sorted; the name is relative to the path that it was found under, so that the digest is the same on
    every machine.  `data_digest` is the SHA-256 of `data`.  Both are hexadecimal.  `revision` is the bundle's own word,
    several joined by a comma, or empty.
    """

    modules: Mapping[str, str]
    data: bytes
    revision: str
    policy_digest: str
    data_digest: str


@dataclass(frozen=True, slots=True)
class _File:
    """One file: its name under its root, and the name that a person can look up."""

    name: PurePosixPath
    shown: str
    content: bytes


def load(
    paths: Iterable[Path], data: Mapping[str, object], bundle_keys: Mapping[str, BundleKey] | None = None
) -> PolicySet:
    """Read all paths, in order; `data` is merged over what they hold.  Raises PolicyLoadError.

    With `bundle_keys`, by key id, each path must be a bundle that one of them signed; their files are read each time.
    """
    try:
        return _load(paths, data, bundle_keys or {})
    except (ValueError, RecursionError, MemoryError) as error:  # a hostile file must not end the watching of all others
        raise PolicyLoadError(
            f"policy.paths cannot be read ({type(error).__name__}): look for a file that is damaged or nests too deeply"
        ) from error


def _load(paths: Iterable[Path], data: Mapping[str, object], bundle_keys: Mapping[str, BundleKey]) -> PolicySet:
    sources = [_source(path, bundle_keys) for path in paths]
    modules = [file for source in sources for file in source.modules]
    if not modules:
        raise PolicyLoadError("the policy paths hold no .rego file: name a file, folder or bundle that does")
    _check_paths(modules)
    document: Document = {}
    for source in sources:
        for shown, found in source.data:
            merge(document, found, shown)
    merge(document, of_values(data, "policy.data"), "policy.data", override=True)
    written = write(document)
    lines = sorted(f"{file.name} {_digest(file.content)}\n" for file in modules)
    return PolicySet(
        modules={file.shown: _text(file) for file in modules},
        data=written,
        revision=",".join(filter(None, (source.revision for source in sources))),
        policy_digest=_digest("".join(lines).encode()),
        data_digest=_digest(written),
    )


def stamp(paths: Iterable[Path]) -> Stamp:
    """Who has changed anything that `load` reads has changed this: what `stat` says of each file, links followed.

    Costs no reading.  What cannot be asked is part of it; nothing is raised.
    """
    return tuple(entry for path in paths for entry in _stat_of(path))


def _stat_of(path: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    try:
        for file in _names(path) if path.is_dir() else [path]:
            found = file.stat()
            times = (found.st_mtime_ns, found.st_ctime_ns)
            yield str(file), (found.st_dev, found.st_ino, found.st_size, *times)
    except OSError as error:
        yield str(path), (error.errno or 0,)


@dataclass(frozen=True, slots=True)
class _Source:
    """What one configured path holds: modules, and data documents where they are mounted, each with its name."""

    modules: list[_File]
    data: list[tuple[str, Document]]
    revision: str


def _source(path: Path, bundle_keys: Mapping[str, BundleKey]) -> _Source:
    files = list(_files(path, bundle_keys))
    _check_names(files)
    modules = [file for file in files if _is_module(file.name.name)]
    data = [
        (file.shown, mount(parse(file.content, file.shown), file.name.parent))
        for file in files
        if (parse := _DATA.get(file.name.name))
    ]
    manifest = _manifest(files)
    for file in modules:
        manifest.check_module(_text(file), file.shown)
    for shown, document in data:
        manifest.check_data(document, shown)
    return _Source(modules, data, manifest.revision)


def _is_module(name: str) -> bool:
    return name.endswith(".rego") and not name.endswith("_test.rego")


def _check_paths(modules: Iterable[_File]) -> None:
    """OPA knows a module by its path, and all bytes of it that are not UTF-8 as one character."""
    shown: dict[str, str] = {}
    for file in modules:
        name = file.shown.encode("utf-8", "replace").decode()
        if shown.setdefault(name, file.shown) != file.shown:
            raise PolicyLoadError(f"{name}: two files whose names differ only where they are not UTF-8: rename one")


def _check_names(files: Iterable[_File]) -> None:
    for file in files:
        if why := _REFUSED.get(file.name.name):
            raise PolicyLoadError(f"{file.shown}: {why}")


def _manifest(files: Iterable[_File]) -> Manifest:
    """OPA takes a file of this name for the manifest wherever it lies, and has another form of it."""
    found = Manifest()
    for file in files:
        if file.name == MANIFEST:
            found = read_manifest(file.content, file.shown)
        elif _is_manifest(file.name.name):
            raise PolicyLoadError(
                f"{file.shown}: only a `.manifest` at the top is read: build the bundle with `opa build`"
            )
    return found


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text(file: _File) -> str:
    try:
        return file.content.decode()
    except UnicodeDecodeError as error:
        raise PolicyLoadError(f"{file.shown} is not UTF-8: save it as UTF-8") from error


def _files(path: Path, bundle_keys: Mapping[str, BundleKey]) -> Iterator[_File]:
    """The files under one configured path, in a fixed order."""
    is_bundle = path.name.endswith(".tar.gz")
    if bundle_keys and not is_bundle:
        raise PolicyLoadError(f"{path} is no bundle: policy.bundle_keys asks for signed ones, so name a .tar.gz")
    try:
        if is_bundle:
            yield from _bundle(path, bundle_keys)
        elif path.is_dir():
            yield from _folder(path)
        else:
            yield _File(PurePosixPath(path.name), str(path), _read(path))
    except FileNotFoundError as error:
        raise PolicyLoadError(f"{error.filename} does not exist: correct policy.paths") from error
    except OSError as error:
        raise PolicyLoadError(
            f"{error.filename or path} cannot be read ({error.strerror or error}): check its permissions"
        ) from error


def _bundle(path: Path, keys: Mapping[str, BundleKey]) -> Iterator[_File]:
    files = dict(read_archive(path))
    if keys:
        verify(path, files, keys)
    for name, content in files.items():
        yield _File(name, f"{path}:{name}", content)


def _folder(root: Path) -> Iterator[_File]:
    for path in _names(root):
        yield _File(PurePosixPath(path.relative_to(root)), str(path), _read(path))


def _names(root: Path) -> Iterator[Path]:
    """A folder's files but the hidden ones: a Kubernetes volume keeps its versions in `..data` and links to them."""
    for folder, folders, names in walk(root, onerror=_raise):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if _is_manifest(name) or name in _REFUSED or (_wanted(name) and not name.startswith(".")):
                yield path


def _is_manifest(name: str) -> bool:
    return name.endswith((".manifest", ".manifest.pb"))


def _wanted(name: str) -> bool:
    return name.endswith(".rego") or name in _DATA


def _raise(error: OSError) -> None:
    raise error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PolicyLoadError(f"{path} is larger than {MAX_BYTES >> 20} MiB: this is no policy")
    return content
