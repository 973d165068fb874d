"""docs/inspection.md: its figures for the outside data sets are the sums of the table that the gateway's test holds."""

from collections import Counter
from pathlib import Path

import pytest
import yaml
from docs.page import Page

PAGE = "inspection.md"
TABLE = Path(__file__).parents[1] / "data" / "table.yaml"
COLUMNS = ("cases", "seen", "malformed", "type_mismatch", "undecodable", "upgrade", "stopped by Envoy")


@pytest.fixture(scope="module")
def sums() -> dict[str, Counter[str]]:
    """For each set, its responses apart, and for all together."""
    out: dict[str, Counter[str]] = {"all": Counter()}
    for row, counts in yaml.safe_load(TABLE.read_text())["rows"].items():
        name, _, place = row.partition("/")
        name += ", responses" if place.startswith("response") else ""
        out.setdefault(name, Counter()).update(counts)
        out["all"].update(counts)
    return out


def test_the_figures_are_the_sums_of_the_table(page: Page, sums: dict[str, Counter[str]]) -> None:
    found = page.section("Tried on what others wrote").table("| set |")
    assert found == {name: [f"{count[column]:,}" for column in COLUMNS] for name, count in sums.items()}


def test_every_column_of_the_table_has_one_on_the_page(sums: dict[str, Counter[str]]) -> None:
    assert set(sums["all"]) == set(COLUMNS)


def test_a_case_has_one_outcome(sums: dict[str, Counter[str]]) -> None:
    assert {name: sum(count.values()) - count["cases"] for name, count in sums.items()} == {
        name: count["cases"] for name, count in sums.items()
    }
