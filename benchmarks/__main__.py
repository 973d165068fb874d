"""`python -m benchmarks`, from the root of the checkout: see `--help`, and docs/performance.md for what is measured."""

import argparse
import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import HEY, LoadError
from benchmarks.matrix import Cell, run_matrix
from benchmarks.rejection import rejections
from benchmarks.report import (
    PAGE,
    matrix_section,
    provenance,
    rejection_section,
    soak_section,
    versions,
    write_section,
)
from benchmarks.rig import Rig, running_rig
from benchmarks.soak import run_soak
from benchmarks.works import CONCURRENCIES, WORKS
from extproc.demo.stage import forget_surroundings
from extproc.engines.library import library
from extproc.errors import StartupError


def main() -> int:
    """Run what was asked for; the tables go to standard output, the progress to standard error."""
    parser = _parser()
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("--quick gives no figures that belong on a page")
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    if options.reject:
        text = f"{provenance('bench', sys.argv[1:], versions(''))}\n\n{rejection_section(rejections())}"
        return _publish({"rejections": text}, options.write)
    cells = _cells(options.only)
    if not cells:
        _say(f"--only {options.only}: no such work; there are {', '.join(work.name for work in WORKS)}")
        return 2
    if not HEY.exists():
        _say(f"{HEY} is missing: start the bench by `make bench`, which builds it")
        return 2
    forget_surroundings()
    try:
        with TemporaryDirectory(prefix="bench-") as folder:
            sections = asyncio.run(_run(options, cells, Path(folder)))
    except (LoadError, StartupError, OSError) as error:
        _say(f"bench: {error}")
        return 1
    return _publish(sections, options.write)


def _publish(sections: Mapping[str, str], page: Path | None) -> int:
    try:
        for name, text in sections.items():
            sys.stdout.write(f"\n{text}\n")
            if page:
                write_section(page, name, text)
    except (StartupError, OSError) as error:
        _say(f"bench: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="CPU, latency and memory of an exchange.")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works: no figures")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of each kind (default 5); 0 leaves the matrix out")
    parser.add_argument("--seconds", type=float, default=3.0, help="about so long is each run (default 3)")
    parser.add_argument("--only", default="", metavar="WORK,...", help="parts of names of works: 'post 1 kb'")
    parser.add_argument("--reject", action="store_true", help="instead: how long one hostile body keeps a worker busy")
    parser.add_argument("--soak", type=int, default=0, metavar="N", help="then memory over N exchanges")
    parser.add_argument("--policies", type=Path, nargs="*", default=[], help="in place of the shipped library")
    parser.add_argument(
        "--write", type=Path, nargs="?", const=PAGE, metavar="PAGE", help=f"put the tables into PAGE (default {PAGE})"
    )
    return parser


def _cells(only: str) -> list[Cell]:
    parts = [part.strip().lower() for part in only.split(",")]
    works = [work for work in WORKS if any(part in work.name.lower() for part in parts)]
    return [Cell(work, concurrency) for work in works for concurrency in CONCURRENCIES]


async def _run(options: argparse.Namespace, cells: list[Cell], folder: Path) -> dict[str, str]:
    async with running_rig(folder, [path.resolve() for path in options.policies]) as rig:
        return await _sections(options, cells, rig)


async def _sections(options: argparse.Namespace, cells: list[Cell], rig: Rig) -> dict[str, str]:
    sections, arguments = {}, sys.argv[1:]
    if options.rounds:
        matrix = await run_matrix(rig, cells, rounds=options.rounds, seconds=options.seconds, say=_say)
        sections["exchanges"] = (
            f"{provenance('bench', arguments, versions(library().opa_version))}\n\n{matrix_section(matrix)}"
        )
    if options.soak:
        soak = await run_soak(rig, options.soak, _say)
        sections["soak"] = f"{provenance('bench', arguments, versions(''))}\n\n{soak_section(soak)}"
    return sections


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
