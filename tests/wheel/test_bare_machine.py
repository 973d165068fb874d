"""A machine with Python alone: what is installed there decides, and can be built there from source."""

import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from release.pins import OPA_VERSION
from wheel.conftest import Environment, only, sdist, wheel

from extproc import __version__

DECISION = """
import asyncio, json, sys
from pathlib import Path
from extproc.core.engine import Question
from extproc.core.point import Point
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import load


async def main():
    engine = EmbeddedEngine(policies=load([Path(sys.argv[1])], {}), entrypoints={Point.REQUEST: "p/decision"})
    results = []
    for role in ("admin", "user"):
        question = Question(Point.REQUEST, json.dumps({"role": role}).encode())
        results.append(json.loads((await engine.decide(question, 5.0)).result))
    print(json.dumps([engine.identity().engine_version, *results]))
    await engine.close()


asyncio.run(main())
"""


@pytest.mark.timeout(300)
def test_no_compiler_is_in_reach(bare: Environment) -> None:
    found = bare.run(
        "python", "-c", "import shutil; print([shutil.which(n) for n in ('go', 'cc', 'gcc', 'clang', 'zig')])"
    )
    assert found.stdout.strip() == str([None] * 5)


@pytest.mark.timeout(600)
def test_the_wheel_decides(installed: Environment, tmp_path: Path) -> None:
    policy = tmp_path / "p.rego"
    policy.write_text('package p\n\ndecision := {"allowed": input.role != "admin"}\n')
    decided = installed.run("python", "-c", DECISION, str(policy)).stdout
    assert json.loads(decided) == [OPA_VERSION, {"allowed": False}, {"allowed": True}]


@pytest.mark.timeout(600)
def test_the_command_runs(installed: Environment) -> None:
    assert installed.run("extproc", "--version").stdout == f"extproc {__version__}\n"
    assert "Usage: extproc demo" in installed.run("extproc", "demo", "--help").stdout


@pytest.mark.timeout(600)
def test_the_source_distribution_builds_the_same_bytes_from_nothing_by_the_wheels_of_go_and_zig(
    bare: Environment, tmp_path: Path
) -> None:
    """Build caches of its own, compilers in another folder, modules from the user's cache: one to two minutes."""
    arguments = ("wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(sdist()))
    bare.pip(*arguments, XDG_CACHE_HOME=str(tmp_path / "cache"))
    built = only(list(tmp_path.glob("*.whl")))
    assert built.name == wheel("x86_64").name
    assert contents(built) == contents(wheel("x86_64"))


@pytest.mark.timeout(600)
def test_a_release_of_a_user_with_other_settings_has_the_same_bytes(bare: Environment, tmp_path: Path) -> None:
    """As long again, for it has build caches of its own."""
    (tmp_path / "stdlib.h").write_text("#error another header than the target's\n")
    (tmp_path / "env").write_text("GOFLAGS=-tags=other\nGOAMD64=v3\nGOEXPERIMENT=jsonv2\nCGO_CFLAGS=-DOTHER\n")
    bare.pip(
        *("wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(sdist())),
        **dict.fromkeys(("CPATH", "C_INCLUDE_PATH", "LIBRARY_PATH"), str(tmp_path)),
        **dict.fromkeys(("GOROOT", "ZIG_LIB_DIR", "GOFLAGS", "CGO_LDFLAGS"), "/nowhere"),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        LIBOPA_TARGET="x86_64-linux-gnu.2.28",
        GOENV=str(tmp_path / "env"),
    )
    assert contents(only(list(tmp_path.glob("*.whl")))) == contents(wheel("x86_64"))


def contents(path: Path) -> dict[str, int]:
    """Checksums by name; WHEEL and RECORD name the version of the builder, which an isolated build chooses anew."""
    with ZipFile(path) as archive:
        return {
            info.filename: info.CRC for info in archive.infolist() if not info.filename.endswith(("/WHEEL", "/RECORD"))
        }
