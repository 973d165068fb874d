"""`python -m benchmarks.engines`, from the root of the checkout: see `--help`."""

import argparse
import asyncio
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.engines.report import Row, cells, engines_section
from benchmarks.engines.rig import SDK, Subject, Turn, running_subjects
from benchmarks.engines.work import SIZES
from benchmarks.load import LoadError
from benchmarks.report import PAGE, provenance, write_section
from extproc.demo.opa import opa_binary
from extproc.demo.stage import forget_surroundings
from extproc.errors import StartupError

_WARM_UP_S = 0.2


def main() -> int:
    """Measure; the tables go to standard output, the progress to standard error."""
    options = _parser().parse_args()
    if not SDK.exists():
        _say(f"{SDK} is missing: start the bench by `make bench-engines`, which builds it")
        return 2
    forget_surroundings()
    load = f"load {os.getloadavg()[0]:.1f} before"  # what else ran here: p99 is mostly that
    try:
        with TemporaryDirectory(prefix="bench-") as folder:
            rows = asyncio.run(_run(Path(folder), rounds=options.rounds, seconds=options.seconds))
        text = f"{provenance('bench-engines', sys.argv[1:], [*_versions(), load])}\n\n{engines_section(rows)}"
        sys.stdout.write(f"\n{text}\n")
        if options.write:
            write_section(options.write, "engines", text)
    except (LoadError, StartupError, OSError) as error:
        _say(f"bench-engines: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description="CPU and latency of a decision.")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each engine at each document (default 5)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn (default 0.5)")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, metavar="PAGE", help=f"put the tables into PAGE (default {PAGE})"
    )
    return parser


async def _run(folder: Path, *, rounds: int, seconds: float) -> list[Row]:
    """Each round visits every policy and size with every engine, one after the other; odd rounds backwards."""
    async with running_subjects(folder) as subjects:
        turns: dict[tuple[str, str], dict[str, list[Turn]]] = {
            cell: {subject.name: [] for subject in subjects} for cell in cells()
        }
        for policy, size in cells():
            for subject in subjects:
                await subject.turn(policy, SIZES[size], _WARM_UP_S)
        for number in range(rounds):
            order: list[Subject] = subjects[::-1] if number % 2 else subjects
            for policy, size in cells():
                for subject in order:
                    turn = await subject.turn(policy, SIZES[size], seconds)
                    turns[policy, size][subject.name].append(turn)
            _say(f"round {number + 1} of {rounds} is done")
        return [Row(policy, size, turns[policy, size]) for policy, size in cells()]


def _versions() -> list[str]:
    """OPA's and Go's: the server, the library and the SDK are of the same (tests/release)."""
    output = subprocess.run([opa_binary(), "version"], capture_output=True, text=True, check=True).stdout  # noqa: S603 - the server that was measured
    said = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    return [f"OPA {said['Version']}", f"Go {said['Go Version'].removeprefix('go')}"]


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
