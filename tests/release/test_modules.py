"""A module that was changed after Go had unpacked it is not built in."""

import os
from pathlib import Path
from zipfile import ZipFile

import pytest
from release.pins import ROOT

from libopa_build.library import verify_modules
from libopa_build.toolchain import Toolchain

MODULE, VERSION = "example.org/part", "v1.0.0"
GO_MOD = f"module {MODULE}\n\ngo 1.26\n"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A module that needs another one, which a proxy of files has."""
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/go.mod").write_text(f"module example.org/whole\n\ngo 1.26\n\nrequire {MODULE} {VERSION}\n")
    (tmp_path / "sources/whole.go").write_text(f'package whole\n\nimport _ "{MODULE}"\n')
    proxy = tmp_path / "proxy" / MODULE / "@v"
    proxy.mkdir(parents=True)
    (proxy / "list").write_text(f"{VERSION}\n")
    (proxy / f"{VERSION}.info").write_text(f'{{"Version": "{VERSION}"}}')
    (proxy / f"{VERSION}.mod").write_text(GO_MOD)
    with ZipFile(proxy / f"{VERSION}.zip", "w") as archive:
        archive.writestr(f"{MODULE}@{VERSION}/go.mod", GO_MOD)
        archive.writestr(f"{MODULE}@{VERSION}/part.go", "package part\n")
    return tmp_path / "sources"


@pytest.fixture
def toolchain(tmp_path: Path) -> Toolchain:
    """The real Go, with a module cache of its own that the test can remove."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME")},
        "GOPROXY": (tmp_path / "proxy").as_uri(),
        "GOMODCACHE": str(tmp_path / "cache"),
        "GOFLAGS": "-modcacherw",
        "GOCACHE": str(tmp_path / "compiled"),
        "GOENV": "off",
        "GONOSUMDB": "*",
        "GOTOOLCHAIN": "local",
    }
    return Toolchain(str(ROOT / ".tools/go"), environment, "", "", "", None)


def test_modules_that_were_changed_where_they_lie_end_the_build(
    sources: Path, toolchain: Toolchain, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert toolchain.run(["mod", "tidy"], sources).returncode == 0
    verify_modules(sources, toolchain)
    with (tmp_path / "cache" / f"{MODULE}@{VERSION}/part.go").open("a") as file:
        file.write("\nfunc init() { panic(0) }\n")
    assert toolchain.run(["build", "."], sources).returncode == 0, "Go itself does not mind"
    with pytest.raises(SystemExit, match="libopa is not built from modules that were changed in Go's cache"):
        verify_modules(sources, toolchain)
    assert f"{MODULE} {VERSION}: dir has been modified" in capfd.readouterr().err
