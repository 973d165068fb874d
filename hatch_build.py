"""Build hook: compiles libopa/ (OPA's evaluator as a C shared library) into the wheel or the editable install.

hatchling loads this file by its path; what it does is in libopa_build/, which an sdist carries too.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parent))  # a build in isolation does not look here

from libopa_build.library import LIBRARY, NOTICES, build
from libopa_build.toolchain import find_toolchain, requirements

ROOM = "extproc/engines"


class LibopaBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # its configuration type is hatchling's own affair
    """hatchling calls `dependencies` before it makes the build environment and `initialize` before it packs."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """The wheels that stand in for what this machine lacks."""
        return requirements(Path(self.root))

    def initialize(self, version: str, build_data: dict[str, object]) -> None:
        """Build; an editable install finds the library beside embedded.py, a wheel gets it from a folder of its own."""
        root = Path(self.root)
        toolchain = find_toolchain(root)
        self._built = tempfile.TemporaryDirectory(prefix="libopa-")  # for its owner alone, until it is packed
        folder = Path(self._built.name)
        build(root / "libopa", toolchain, folder)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{toolchain.tag}"
        if version == "editable":
            place(folder / LIBRARY, root / ROOM / LIBRARY)
        else:
            build_data["force_include"] = {str(folder / name): f"{ROOM}/{name}" for name in (LIBRARY, NOTICES)}

    def finalize(self, version: str, build_data: dict[str, object], artifact_path: str) -> None:  # noqa: ARG002 - hatchling's
        """Let go of what was packed."""
        self._built.cleanup()


def place(library: Path, target: Path) -> None:
    """Copy by rename: a process that runs from the old library keeps it."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        Path(shutil.copy2(library, folder)).replace(target)
