"""Hot reload: when a policy path changes, the engine gets the new policy set, or keeps the old one and we say why."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from watchfiles import Change, awatch

from extproc.core.engine import PolicyIdentity
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.signatures import BundleKey
from extproc.engines.sources import load
from extproc.errors import StartupError

Outcome = Callable[[PolicyIdentity | StartupError], None]


async def watch(
    *,
    engine: EmbeddedEngine,
    paths: Sequence[Path],
    data: Mapping[str, object],
    on_outcome: Outcome,
    bundle_keys: Mapping[str, BundleKey] | None = None,
) -> None:
    """Watch until cancelled.

    `on_outcome` gets the new identity after a swap, or the error of a policy that was refused: the last good one goes
    on deciding.  It is not called when nothing that counts has changed.  Files are watched through the folder that
    holds them, so one may be replaced; a configured folder that is deleted and made again is **not** seen.
    """
    folders = {path.absolute() for path in paths if path.is_dir()}
    files = {path.absolute() for path in paths} - folders

    def counts(_: Change, name: str) -> bool:
        """Other files may lie beside a policy.  Kubernetes replaces a mounted one by way of the link `..data`."""
        changed = Path(name)
        inside = any(changed.is_relative_to(folder) for folder in folders)
        return inside or changed in files or changed.name.startswith("..")

    async for _ in awatch(*folders, *{file.parent for file in files}, watch_filter=counts):
        try:
            policies = await asyncio.to_thread(load, paths, data, bundle_keys)
            if engine.serves(policies):
                continue
            await asyncio.to_thread(engine.replace, policies)
        except StartupError as error:
            on_outcome(error)
        else:
            on_outcome(engine.identity())
