"""docs/errors.md against the exception tree, the reasons of our own and the states."""

from collections.abc import Iterator

import pytest
from docs.page import Page

from extproc.core import case
from extproc.core.inspection import BY_NAME, VISIBLE, State
from extproc.errors import BodyError, ExchangeError, ExtProcError, StartupError, VerificationError
from extproc.telemetry import otlp

PAGE = "errors.md"
HEADER = "| code | class |"
SECTIONS: dict[str, set[type[ExtProcError]]] = {
    "Before serving": {StartupError},
    "While serving": {ExchangeError},
    "Bodies that the policy cannot see": {BodyError},
    "Elsewhere": {VerificationError, otlp.ExportError, otlp.ExportRejected},
}


def with_a_code(root: type[ExtProcError]) -> Iterator[type[ExtProcError]]:
    """`root` and every class below it that have a code of their own."""
    if "code" in vars(root):
        yield root
    for child in root.__subclasses__():
        yield from with_a_code(child)


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_names_every_error_of_its_branch(page: Page, title: str) -> None:
    written = {code: cells[0] for code, cells in page.section(title).table(HEADER).items() if cells[0] != "none"}
    assert written == {error.code: error.__name__ for root in SECTIONS[title] for error in with_a_code(root)}


def test_the_sections_hold_the_whole_tree() -> None:
    assert {root for roots in SECTIONS.values() for root in roots} == set(ExtProcError.__subclasses__())


def test_every_state_that_is_answered_without_the_policy_is_named(page: Page) -> None:
    written = page.section("Bodies that the policy cannot see").table(HEADER)
    assert set(written) == {state.value for state in State if state not in VISIBLE | BY_NAME}


def test_every_reason_of_our_own_is_named(page: Page) -> None:
    ours = {case.LOCAL_REPLY, case.POLICY_OFF, case.STREAM_ENDED, case.POLICY_DENY, State.NOT_SENT.value}
    assert set(page.table("| code | verdict |")) == ours
