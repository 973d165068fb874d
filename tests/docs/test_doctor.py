"""docs/doctor.md against the table of findings."""

import re

import typer
from docs.page import Page

from extproc.cli.main import app
from extproc.istio.doctor.checks.table import CHECKS
from extproc.istio.doctor.probe import OUTCOMES

PAGE = "doctor.md"
HEADER = "| id | severity |"


def tables(page: Page) -> dict[str, str]:
    """Id and severity of every row of the section's tables."""
    rows: dict[str, str] = {}
    for part in page.section("Findings").text.split("\n### ")[1:]:
        for id_, cells in Page(part).table(HEADER).items():
            assert id_ not in rows, f"{id_} is there twice"
            rows[id_] = cells[0]
    return rows


def test_every_finding_is_named_with_its_severity(page: Page) -> None:
    assert tables(page) == {check.id: check.severity.value for check in CHECKS}


def test_every_outcome_of_the_probe_is_named_with_its_severity(page: Page) -> None:
    written = {id_: cells[0] for id_, cells in page.section("The probe").table(HEADER).items()}
    assert written == {outcome.id: outcome.severity.value for outcome in OUTCOMES}


def test_every_option_is_named(page: Page) -> None:
    command = typer.main.get_command(app).commands["doctor"]
    options = {option.opts[0] for option in command.params}
    named = {word for row in page.table("| option |") for word in re.findall(r"--[a-z-]+", row)}
    assert named == options - {"--namespace"}


def test_no_two_findings_have_one_id() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
