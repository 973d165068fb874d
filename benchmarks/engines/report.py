"""The table of the engines."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.engines.rig import EMBEDDED, GO_SDK, GO_SDK_400, REST, Turn
from benchmarks.engines.work import POLICIES, SIZES
from benchmarks.report import table


@dataclass(frozen=True, slots=True)
class Row:
    """One policy at one size; `turns` has those of each subject by its name, one for each round."""

    policy: str
    size: str
    turns: Mapping[str, Sequence[Turn]]

    def median(self, subject: str, figure: Callable[[Turn], float]) -> float:
        """The median over the rounds."""
        return statistics.median(map(figure, self.turns[subject]))


def engines_section(rows: Sequence[Row]) -> str:
    """CPU and latency of each engine, with one evaluation at a time."""
    rounds = len(rows[0].turns[EMBEDDED])
    return "\n\n".join(
        [
            f"CPU µs per decision, medians over {rounds} {'round' if rounds == 1 else 'rounds'}, one at a time:",
            table(_CPU_HEAD, map(_cpu_row, rows)),
            "Latency, µs as the caller sees it, p50 / p99:",
            table(_LATENCY_HEAD, map(_latency_row, rows)),
        ]
    )


_CPU_HEAD = ["policy", "body", f"**{EMBEDDED}**", "REST, our client", "REST, OPA", "REST / libopa", GO_SDK, GO_SDK_400]


def _client_us(turn: Turn) -> float:
    return turn.client_us


def _cpu_row(row: Row) -> list[str]:
    embedded, sdk, sdk_400 = (row.median(name, _client_us) for name in (EMBEDDED, GO_SDK, GO_SDK_400))
    client, server = row.median(REST, _client_us), row.median(REST, lambda turn: turn.server_us)
    figures = [f"{figure:,.0f}" for figure in (embedded, client, server, sdk, sdk_400)]
    ratio = f"{(client + server) / embedded:.1f}"
    return [row.policy, row.size, f"**{figures[0]}**", *figures[1:3], ratio, *figures[3:]]


_LATENCY_HEAD = ["policy", "body", f"**{EMBEDDED}**", REST, GO_SDK, GO_SDK_400]


def _latency_row(row: Row) -> list[str]:
    cells = []
    for name in (EMBEDDED, REST, GO_SDK, GO_SDK_400):
        p50 = row.median(name, lambda turn: turn.percentile_us(50))
        p99 = row.median(name, lambda turn: turn.percentile_us(99))
        cells.append(f"{p50:,.0f} / {p99:,.0f}")
    return [row.policy, row.size, f"**{cells[0]}**", *cells[1:]]


def cells() -> list[tuple[str, str]]:
    """Policy and size of every row, in order."""
    return [(policy, size) for policy in POLICIES for size in SIZES]
