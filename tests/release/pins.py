"""The versions that the build is made of, each from the one place that names it."""

import re
from pathlib import Path

from libopa_build.toolchain import pins

ROOT = Path(__file__).parents[2]
OPA = "github.com/open-policy-agent/opa"


def required(go_mod: Path, module: str) -> str:
    """The version that a go.mod requires, without its `v`."""
    found = re.search(rf"^(?:require )?\t?{re.escape(module)} v(\S+)", go_mod.read_text(), re.MULTILINE)
    assert found is not None, f"{go_mod} does not require {module}"
    return found[1]


OPA_VERSION = required(ROOT / "libopa/go.mod", OPA)
TOOLCHAIN = pins(ROOT)
