"""`extproc serve`."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="EXTPROC_CONFIG", help="The YAML file; without it, EXTPROC_* variables."),
]


def serve(config: ConfigFile = None) -> None:
    """Serve ext_proc until SIGTERM, then drain.

    Example: `extproc serve --config extproc.yaml`, or without a file:
    `EXTPROC_POLICY__PATHS='["policies"]' extproc serve`

    Ready when `GET /readyz` on admin.listen answers 200.  Exit status: 0 after a drain, 2 when it cannot start.
    """
    from extproc.config import load_settings
    from extproc.server import supervisor

    supervisor.serve(load_settings(config))
