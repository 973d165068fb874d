"""docs/istio-matrix.md has every mistake, with what the tests show of it."""

from docs.page import Page
from istio_live.test_doctor import NAMED, REMOVED
from istio_live.test_istioctl import SAID
from istio_live.test_mistakes import MISTAKES, OPEN, Mistake, Outcome


def test_the_table_names_every_mistake_and_who_finds_it() -> None:
    removed = _cells(OPEN, "", ("", ""), REMOVED)
    table = Page.read("istio-matrix.md").table("| mistake |")
    assert table == {_words(one): _row(one) for one in MISTAKES} | {"the EnvoyFilter is removed": removed}


def test_every_mistake_is_found_by_one_of_them() -> None:
    assert [_words(one) for one in MISTAKES if not any(_row(one)[1:])] == []


def test_the_other_pages_lead_to_the_table() -> None:
    link = "istio-matrix.md#what-a-wrong-envoyfilter-does"
    assert [page for page in ("istio.md", "doctor.md") if link not in Page.read(page).text] == []


def _words(mistake: Mistake) -> str:
    return mistake.make.__name__.replace("_", " ")


def _row(mistake: Mistake) -> list[str]:
    name = mistake.make.__name__
    return _cells(mistake.outcome, "refuses" if mistake.refused else "", SAID.get(name, ("", "")), NAMED[name])


def _cells(outcome: Outcome, check: str, istioctl: tuple[str, str], doctor: tuple[str | None, str]) -> list[str]:
    """A probe that is denied, with all our marks, finds nothing."""
    finding, probe = doctor
    found = ["" if name in {None, "probe_denied"} else f"`{name}`" for name in (finding, probe)]
    return [f"{outcome.harmless}, {outcome.probe}", check, *istioctl, *found]
