"""The figures of test_gateway.py: table.yaml, and their sums on docs/inspection.md."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from data.oracle import BY_ENVOY, SHOWN, Exchange

TABLE = Path(__file__).with_name("table.yaml")
REFUSED = ("malformed", "type_mismatch", "undecodable", "upgrade")
COLUMNS = ("cases", *SHOWN, *REFUSED, BY_ENVOY)
_START = "rows:\n"

Counts = Mapping[str, Mapping[str, int]]
"""By row, and there by column; one that counts none may be left out."""


def counted(exchanges: Iterable[Exchange]) -> Counts:
    """How many cases each row has, and how they came out."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for exchange in exchanges:
        counts[exchange.case.row].update(["cases", exchange.outcome])
    return {row: dict(count) for row, count in counts.items()}


def read() -> Counts:
    """The rows of table.yaml."""
    return yaml.safe_load(TABLE.read_text())["rows"]


def written(rows: Counts) -> str:
    """The text of table.yaml with these rows, below the comment that it has."""
    comment, _, _ = TABLE.read_text().partition(_START)
    return comment + _START + "".join(f"  {row}: {{{_pairs(count)}}}\n" for row, count in sorted(rows.items()))


def sums(rows: Counts) -> dict[str, Counter[str]]:
    """For each set, its responses apart, and for all together."""
    out: dict[str, Counter[str]] = {}
    for row, count in sorted(rows.items()):
        name, _, place = row.partition("/")
        name += ", responses" if place.startswith("response") else ""
        out.setdefault(name, Counter()).update(count)
    out["all"] = sum(out.values(), Counter())
    return out


def lines(rows: Counts) -> list[str]:
    """The sums as the page has them."""
    titles = [f"`{column}`" if column in {*SHOWN, *REFUSED} else column for column in COLUMNS]
    figures = (_line(name, [f"{count[column]:,}" for column in COLUMNS]) for name, count in sums(rows).items())
    return [_line("set", titles), "|---|" + "--:|" * len(COLUMNS), *figures]


def on_the_page(page: str, rows: Counts) -> str:
    """The text of the page with these sums in the place of those that it has."""
    before, start, rest = page.partition("\n| set |")
    return before + "\n" + "\n".join(lines(rows)) + rest[rest.index("\n\n") :] if start else page


def _line(first: str, cells: Iterable[str]) -> str:
    return f"| {' | '.join([first, *cells])} |"


def _pairs(count: Mapping[str, int]) -> str:
    return ", ".join(f"{column}: {count[column]}" for column in sorted(count, key=COLUMNS.index))
