"""What `make wheels sdist` left in dist/, and a bare virtual environment on a PATH that has nothing but itself."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from extproc import __version__

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
_OURS = ("PATH", "PYTHONPATH", "VIRTUAL_ENV", "CC", "LIBOPA_TARGET")


@dataclass(frozen=True)
class Environment:
    """A virtual environment; what runs in it finds no other program."""

    folder: Path

    def run(self, *command: str, check: bool = True, **variables: str) -> "subprocess.CompletedProcess[str]":
        """A program of its own, with its output."""
        program, *arguments = command
        kept = {name: value for name, value in os.environ.items() if name not in _OURS and not name.startswith("GO")}
        return subprocess.run(
            [self.folder / "bin" / program, *arguments],
            cwd=self.folder,
            env={**kept, "PATH": str(self.folder / "bin"), **variables},
            capture_output=True,
            text=True,
            check=check,
        )

    def pip(self, *arguments: str, **variables: str) -> None:
        """Run pip, whose last words are the error if it fails."""
        done = self.run("python", "-m", "pip", *arguments, check=False, **variables)
        assert done.returncode == 0, done.stderr[-4000:]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A new environment with pip alone."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return Environment(folder)


@pytest.fixture(scope="session")
def installed(bare: Environment) -> Environment:
    """The wheel with its pinned requirements."""
    requirements = ROOT / "requirements/runtime.txt"
    bare.pip("install", "--quiet", "--no-deps", "--require-hashes", "--requirement", str(requirements))
    bare.pip("install", "--quiet", "--no-deps", str(wheel("x86_64")))
    return bare


def wheel(machine: str) -> Path:
    """The wheel of this version."""
    return DIST / f"extproc_opa-{__version__}-py3-none-manylinux_2_28_{machine}.whl"


def sdist() -> Path:
    """The source distribution of this version."""
    return DIST / f"extproc_opa-{__version__}.tar.gz"


def only(paths: Sequence[Path]) -> Path:
    """The one that there is."""
    (path,) = paths
    return path
