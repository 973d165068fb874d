"""Hot reload: when a policy path changes, the engine gets the new policy set, or keeps the old one and we say why."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from extproc.core.engine import PolicyIdentity
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.signatures import BundleKey
from extproc.engines.sources import PolicySet, Stamp, load, stamp
from extproc.errors import StartupError

PERIOD_S = 1.0
"""Between two looks: a `stat` of each file, 5 µs each.  Kubernetes itself takes up to a minute to change a mount."""

Outcome = Callable[[PolicyIdentity | StartupError], None]


async def watch(  # noqa: PLR0913 - by keyword, one for each thing that a reload needs
    *,
    engine: EmbeddedEngine,
    paths: Sequence[Path],
    data: Mapping[str, object],
    on_outcome: Outcome,
    bundle_keys: Mapping[str, BundleKey] | None = None,
    period_s: float = PERIOD_S,
) -> None:
    """Watch until cancelled.

    `on_outcome` gets the new identity after a swap, or the error of a policy that was refused: the last good one goes
    on deciding.  It is not called when nothing that counts has changed.  The files are asked each period and by their
    paths, where a notification would stay with the folder that a link led to once: Kubernetes swaps the link `..data`
    of a mount, and nothing below it ever changes.
    """
    seen: Stamp | None = None  # the engine was loaded before: what came since is found at the first look
    while True:
        stamped = await asyncio.to_thread(stamp, paths)
        if stamped != seen:
            loaded = await asyncio.to_thread(_loaded, paths, data, bundle_keys)
            # What changed while it was read is half of the one and half of the other: read it again.
            if await asyncio.to_thread(stamp, paths) == stamped:
                seen = stamped
                await _take(engine, loaded, on_outcome)
        await asyncio.sleep(period_s)


def _loaded(
    paths: Sequence[Path], data: Mapping[str, object], bundle_keys: Mapping[str, BundleKey] | None
) -> PolicySet | StartupError:
    try:
        return load(paths, data, bundle_keys)
    except StartupError as error:
        return error


async def _take(engine: EmbeddedEngine, loaded: PolicySet | StartupError, on_outcome: Outcome) -> None:
    if isinstance(loaded, StartupError):
        on_outcome(loaded)
        return
    if engine.serves(loaded):
        return
    try:
        await asyncio.to_thread(engine.replace, loaded)
    except StartupError as error:
        on_outcome(error)
    else:
        on_outcome(engine.identity())
