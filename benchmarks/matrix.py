"""The interleaved run: each round visits every work and concurrency with all servers, one right after the other."""

import asyncio
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.load import LoadError
from benchmarks.measurement import Run, measure
from benchmarks.rig import EMPTY, EXTPROC, LEAST, SERVER, Rig
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
    """The servers on the same cell in the same round; `policy_us` is CPU of both evaluations, measured apart."""

    empty: Run
    least: Run
    ours: Run
    policy_us: float

    @property
    def above_us(self) -> float:
        """CPU of our worker above the empty server, policy evaluation apart."""
        return self.ours.cpu_us[SERVER] - self.policy_us - self.empty.cpu_us[SERVER]

    @property
    def least_us(self) -> float:
        """CPU above the empty server of what a decision cannot be without."""
        return self.least.cpu_us[SERVER] - self.empty.cpu_us[SERVER]

    @property
    def ratio(self) -> float:
        """CPU of our worker, policy evaluation included, by that of the empty server."""
        return self.ours.cpu_us[SERVER] / self.empty.cpu_us[SERVER]


@dataclass(frozen=True, slots=True)
class Policy:
    """One measurement of the policy alone: OPA's version, and CPU by the name of the work."""

    opa: str
    cpu_us: dict[str, float]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All pairs of each cell, one for each round, and OPA's version."""

    pairs: dict[Cell, list[Pair]]
    opa: str

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
    opa = ""
    for number in range(rounds):
        policy = await _policy_alone(rig, seconds / 4)
        opa = policy.opa
        order = (rig.extproc, rig.least, rig.empty) if number % 2 else (rig.empty, rig.least, rig.extproc)
        for cell in cells:
            runs = {}
            for subject in order:
                count = counts[cell, subject.name]
                runs[subject.name] = await measure(rig, subject, cell.work, cell.concurrency, count)
            pair = Pair(runs[EMPTY], runs[LEAST], runs[EXTPROC], policy.cpu_us[cell.work.name])
            pairs[cell].append(pair)
            say(f"round {number + 1}: {cell.work.name}, {cell.concurrency} in flight: {pair.above_us:+.0f} us above")
    return Matrix(pairs, opa)


async def _policy_alone(rig: Rig, seconds: float) -> Policy:
    command = [sys.executable, "-m", "benchmarks.evaluation", str(rig.config), str(seconds)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode:
        raise LoadError(f"the measurement of the policy ended with {process.returncode}")
    document = json.loads(output)
    return Policy(document["opa"], document["cpu_us"])
