"""The interleaved run: each round visits every work and concurrency with all servers, one right after the other."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measurement import Run, measure
from benchmarks.rig import EMPTY, ENGINE, EXTPROC, LEAST, SERVER, Rig
from benchmarks.works import Work

_WARM_UP = 32  # exchanges, for each client
_FEWEST = 64
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Cell:
    """A row of the table: one work at one concurrency."""

    work: Work
    concurrency: int


@dataclass(frozen=True, slots=True)
class Pair:
    """The servers on the same cell in the same round."""

    empty: Run
    least: Run
    ours: Run

    @property
    def above_us(self) -> float:
        """CPU of our worker above the empty server, the engine's threads apart."""
        return self._above(self.ours)

    @property
    def least_us(self) -> float:
        """The same of what a decision cannot be without."""
        return self._above(self.least)

    def _above(self, run: Run) -> float:
        return run.cpu_us[SERVER] - run.cpu_us[ENGINE] - self.empty.cpu_us[SERVER]

    @property
    def ratio(self) -> float:
        """CPU of our worker, the engine included, by that of the empty server."""
        return self.ours.cpu_us[SERVER] / self.empty.cpu_us[SERVER]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All pairs of each cell, one for each round."""

    pairs: dict[Cell, list[Pair]]

    def median(self, cell: Cell, figure: Callable[[Pair], float]) -> float:
        """The median over the rounds."""
        return statistics.median(figure(pair) for pair in self.pairs[cell])


async def run_matrix(rig: Rig, cells: Sequence[Cell], *, rounds: int, seconds: float, say: Say) -> Matrix:
    """Run all rounds; on odd ones ours goes first.  A run lasts about `seconds`.  Raises LoadError."""
    counts: dict[tuple[Cell, str], int] = {}
    for cell in cells:
        for subject in (rig.empty, rig.least, rig.extproc):
            warm = await measure(rig, subject, cell.work, cell.concurrency, _WARM_UP * cell.concurrency)
            counts[cell, subject.name] = max(_FEWEST, int(warm.load.exchanges / warm.load.seconds * seconds))
        say(f"warm: {cell.work.name}, {cell.concurrency} in flight")
    pairs: dict[Cell, list[Pair]] = {cell: [] for cell in cells}
    for number in range(rounds):
        order = (rig.extproc, rig.least, rig.empty) if number % 2 else (rig.empty, rig.least, rig.extproc)
        for cell in cells:
            runs = {}
            for subject in order:
                count = counts[cell, subject.name]
                runs[subject.name] = await measure(rig, subject, cell.work, cell.concurrency, count)
            pair = Pair(runs[EMPTY], runs[LEAST], runs[EXTPROC])
            pairs[cell].append(pair)
            say(f"round {number + 1}: {cell.work.name}, {cell.concurrency} in flight: {pair.above_us:+.0f} us above")
    return Matrix(pairs)
