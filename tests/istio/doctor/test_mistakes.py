"""Every mistake, made in a real Envoy, is named at its place, and nothing else is said about that listener."""

import pytest
from istio.doctor.mistakes import MISTAKES

from extproc.istio.doctor import examine
from extproc.istio.doctor.finding import Finding


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named_at_its_place_and_nothing_else(
    name: str, places: dict[str, tuple[str, ...]], found: list[Finding]
) -> None:
    here = [each for each in found if each.place.startswith(places[name])]

    assert {each.id for each in here} == {MISTAKES[name].finding}
    assert len(set(here)) == len(here)
    assert all(each.place.endswith(MISTAKES[name].place) for each in here)
    assert all(each.severity and each.saying and each.why and each.mend for each in here)


ELSEWHERE = {
    *("not_attached", "update_rejected", "graceful_close", "fields_dropped"),
    *("unreadable", "unknown_field", "section_missing"),
    *("tls_missing", "unenforced"),
}
"""Findings about a whole gateway, dump or server: test_gateways and test_sources make them true."""


def test_every_finding_is_made_true_by_a_mistake() -> None:
    assert {mistake.finding for mistake in MISTAKES.values()} | ELSEWHERE == examine.IDS
