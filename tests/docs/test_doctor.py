"""docs/doctor.md against the table of findings."""

from docs.page import Page

from extproc.istio.doctor.checks.table import CHECKS

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


def test_no_two_findings_have_one_id() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
