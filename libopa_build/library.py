"""The library itself: `go build` with progress, and the licences of what it linked in."""

import hashlib
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from libopa_build.cache import cached
from libopa_build.console import fail, say
from libopa_build.notices import Package, notices
from libopa_build.toolchain import Toolchain

LIBRARY, NOTICES = "libopa.so", "libopa-notices.txt"
FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid= -extldflags=-s", "-buildmode=c-shared")
"""Nothing of where it was built stays in it, debug information of C included."""
_FOREIGN = "{{with .Module}}{{if not (or .Main .Replace)}}{{.Path}} {{.Version}}\t{{.Dir}}{{end}}{{end}}"
_FORMAT = "{{.ImportPath}}\t{{.Dir}}\t" + _FOREIGN
_PROGRESS_S = 10.0


def build(sources: Path, toolchain: Toolchain, into: Path) -> None:
    """Put LIBRARY and NOTICES into an empty folder, built unless the same build was done before."""
    cached(key(sources, toolchain), lambda folder: _build(sources, toolchain, folder), into)
    for name in (LIBRARY, NOTICES):
        (into / name).chmod(0o644)  # whether they were made or taken


def key(sources: Path, toolchain: Toolchain) -> str:
    """The hash of all that goes in: the compilers and their settings, our sources, and go.sum for those of others."""
    digest = hashlib.sha256(f"{toolchain.compilers}\n{toolchain.settings}\n{FLAGS}\n{_build_digest()}\n".encode())
    for path in _inputs(sources):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{content}  {path.relative_to(sources)}\n".encode())
    return digest.hexdigest()


def _build_digest() -> str:
    """Of this room: what it writes beside the library may change with it."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _inputs(sources: Path) -> list[Path]:
    """Everything but tests and pages: a file too many costs a build, one too few a wrong library."""
    files = (path for path in sources.rglob("*") if path.is_file() and "testdata" not in path.parts)
    return sorted(path for path in files if path.suffix != ".md" and not path.name.endswith("_test.go"))


def _build(sources: Path, toolchain: Toolchain, folder: Path) -> None:
    """Fetch, compile, link, and collect the licences, into the folder."""
    say(f"building with {toolchain.compilers} (the first time takes one to two minutes)")
    start_s = time.monotonic()
    listed = toolchain.run(["list", "-deps", "-f", _FORMAT, "."], sources)
    if listed.returncode:
        sys.stderr.write(listed.stderr)
        fail("needs OPA's Go modules, which go did not get (its words are above): try online, or set GOPROXY")
    rows = [line.split("\t") for line in listed.stdout.splitlines()]
    verify_modules(sources, toolchain)
    _compile(sources, toolchain, folder / LIBRARY, {row[0] for row in rows})
    (folder / f"{Path(LIBRARY).stem}.h").unlink(missing_ok=True)
    root = Path(toolchain.run(["env", "GOROOT"], sources).stdout.strip())
    (folder / NOTICES).write_text(notices(_packages(rows), root, toolchain.zig), encoding="utf-8")
    size = (folder / LIBRARY).stat().st_size >> 20
    say(f"built in {time.monotonic() - start_s:.0f} s, {size} MiB")


def verify_modules(sources: Path, toolchain: Toolchain) -> None:
    """Go holds to go.sum what it downloads, but not what has lain unpacked in the cache since: some seconds."""
    verified = toolchain.run(["mod", "verify"], sources)
    if verified.returncode:
        sys.stderr.write(verified.stdout + verified.stderr)
        fail("is not built from modules that were changed in Go's cache (its words are above): `go clean -modcache`")


def _packages(rows: Iterable[list[str]]) -> Iterator[Package]:
    """Those of modules other than ours, and of what stands in for one; the standard library has none."""
    for _, folder, module, *root in rows:
        if module:
            yield Package(module, Path(root[0]), Path(folder))


def _compile(sources: Path, toolchain: Toolchain, library: Path, packages: set[str]) -> None:
    command = [toolchain.go, "build", "-v", *FLAGS, "-o", str(library), "."]
    compiled, words, said_s = 0, [], time.monotonic()
    started = subprocess.Popen(command, cwd=sources, env=toolchain.environment, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ours
    with started as process:
        for line in process.stderr or ():
            if line.strip() in packages:
                compiled += 1
            else:
                words.append(line)
            if time.monotonic() - said_s > _PROGRESS_S:
                said_s = time.monotonic()
                say(f"{compiled} of at most {len(packages)} packages compiled")
    if process.returncode:
        sys.stderr.writelines(words)
        fail(f"did not build: go ended with status {process.returncode}; its words are above")
