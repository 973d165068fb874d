"""Memory over very many exchanges: resident size at equal distances, and the slope through it.

The empty server gets the same exchanges, for what grows there is grpc's own.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measurement import measure
from benchmarks.rig import RECEIPTS, SERVER, SHIPPER, SUPERVISOR, Rig
from benchmarks.works import TARGET_WORK

_STEPS = 10
CONCURRENCY = 16
EMPTY_SERVER, WORKER = "empty server", "worker"
PARTS = (EMPTY_SERVER, WORKER, SHIPPER, SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Reading:
    """Resident bytes of each of PARTS after so many exchanges."""

    exchanges: int
    rss_bytes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Soak:
    """The readings, the first one after the warm-up, and the receipts' bytes on the disk at the end."""

    readings: tuple[Reading, ...]
    evidence_bytes: int

    def slope(self, part: str) -> float:
        """Bytes per exchange: the least-squares line through the second half of the readings.

        Caches, arenas and Go's heap fill in the first half.
        """
        settled = self.readings[len(self.readings) // 2 :]
        counts = [reading.exchanges for reading in settled]
        return statistics.linear_regression(counts, [reading.rss_bytes[part] for reading in settled]).slope


async def run_soak(rig: Rig, exchanges: int, say: Callable[[str], None]) -> Soak:
    """Drive so many exchanges of the target's work through each server, in ten steps.  Raises LoadError."""
    readings = []
    step = exchanges // _STEPS
    for number in range(1, _STEPS + 1):
        empty = await measure(rig, rig.empty, TARGET_WORK, CONCURRENCY, step)
        ours = (await measure(rig, rig.extproc, TARGET_WORK, CONCURRENCY, step)).rss_bytes
        rss = {EMPTY_SERVER: empty.rss_bytes[SERVER], WORKER: ours[SERVER]}
        rss |= {part: ours[part] for part in (SHIPPER, SUPERVISOR)}
        readings.append(Reading(number * step, rss))
        say(f"soak: {number * step} exchanges, " + ", ".join(f"{part} {rss[part] / 2**20:.1f} MiB" for part in PARTS))
    written = sum(segment.stat().st_size for segment in (rig.folder / RECEIPTS).rglob("*.ndjson"))
    return Soak(tuple(readings), written)
