"""docs/inspection.md: its figures for the outside data sets are the sums of the table that the gateway's test holds."""

from collections import Counter

import pytest
import yaml
from data import table
from docs.page import Page

PAGE = "inspection.md"


@pytest.fixture(scope="module")
def sums() -> dict[str, Counter[str]]:
    """For each set, its responses apart, and for all together."""
    return table.sums(table.read())


def test_the_figures_are_the_sums_of_the_table(page: Page, sums: dict[str, Counter[str]]) -> None:
    found = page.section("Tried on what others wrote").table("| set |")
    assert found == {name: [f"{count[column]:,}" for column in table.COLUMNS] for name, count in sums.items()}


def test_other_figures_are_written_in_the_place_of_those(page: Page) -> None:
    rows = {**table.read(), "blns/cookie": {"cases": 7, "opaque": 7}, "new/response": {"cases": 1, "empty": 1}}
    written = table.on_the_page(page.text, rows)
    assert Page(written).section("Tried on what others wrote").table("| set |") == {
        name: [f"{count[column]:,}" for column in table.COLUMNS] for name, count in table.sums(rows).items()
    }
    assert table.on_the_page(written, table.read()) == page.text
    assert yaml.safe_load(table.written(rows))["rows"] == rows
    assert table.written(table.read()) == table.TABLE.read_text()


def test_every_column_of_the_table_has_one_on_the_page(page: Page, sums: dict[str, Counter[str]]) -> None:
    titles = page.section("Tried on what others wrote").text.partition("\n| set | ")[2].partition(" |\n")[0]
    assert [title.strip("`") for title in titles.split(" | ")] == list(table.COLUMNS)
    assert set(sums["all"]) == set(table.COLUMNS)


def test_a_case_has_one_outcome(sums: dict[str, Counter[str]]) -> None:
    assert {name: sum(count.values()) - count["cases"] for name, count in sums.items()} == {
        name: count["cases"] for name, count in sums.items()
    }
