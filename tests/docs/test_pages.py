"""Every page: its links lead somewhere, and short forms stay short."""

import re
from pathlib import Path

import pytest
from docs.page import DOCS

PAGES = sorted([*DOCS.rglob("*.md"), DOCS.parent / "CHANGELOG.md"])
SHORT = sorted([*DOCS.glob("how-to/*.md"), *DOCS.glob("adr/*.md")])
MOST_LINES = 40

_FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")


def _name(page: Path) -> str:
    return str(page.relative_to(DOCS.parent))


def _anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    lost = []
    for target, anchor in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            lost.append(f"{target}#{anchor}" if anchor else target)
    assert lost == []


@pytest.mark.parametrize("page", SHORT, ids=_name)
def test_a_how_to_and_a_decision_record_stay_short(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    named = {(DOCS / target).resolve() for target, _ in _LINK.findall(index)}
    assert {page for page in DOCS.rglob("*.md") if page.name != "README.md"} - named == set()
