"""OPA's own conformance cases against libopa, by the same calls that a decision takes."""

import json
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from engines.opa_cases import Case, cases

from extproc.engines.answers import Answer, Moment
from extproc.engines.library import Queue, library
from extproc.errors import PolicyLoadError

MOMENT = Moment(time_ns=1_767_355_200_000_000_000, seed=7)
MINUTE_NS = 60 * 10**9
ROOT = Path(__file__).parents[2]
PAGES = {  # how many times each says so
    "docs/adr/0002-opa-embedded-as-libopa.md": (1, 0),
    "docs/adr/0012-why-not-the-other-ways-to-rego.md": (1, 1),
    "libopa/README.md": (1, 1),
}
EXCEPTIONS: dict[str, dict[str, str]] = yaml.safe_load(
    Path(__file__).with_name("opa_cases_exceptions.yaml").read_bytes()
)


@contextmanager
def _queue() -> Iterator[Queue]:
    queue = library().open(1)
    yield queue
    queue.shut()


def _answer(queue: Queue, case: Case) -> Answer:
    handle = library().prepare(case.specification)
    queue.submit(handle, 0, case.input, timeout_ns=MINUTE_NS, moment=MOMENT)
    select.select([queue.descriptor], [], [])
    (answer,) = queue.take()
    library().close(handle)
    return answer


def _difference(queue: Queue, case: Case) -> str | None:
    """What is not as the case wants it."""
    try:
        answer = _answer(queue, case)
    except PolicyLoadError as error:
        return f"does not load: {error}"
    if not case.wants_an_error:
        got = answer.error or case.bindings(answer.result)
        return None if got == case.wanted else f"{got}, not {case.wanted}"
    if answer.error is None:
        return f"{answer.result!r}, not an error"
    words = json.loads(answer.notes)["error"]
    as_wanted = str(answer.error).startswith(case.code or "eval_") and (case.words or "") in words
    return None if as_wanted else f"{answer.error}: {words}, not {case.code}: {case.words}"


@pytest.fixture(scope="module")
def differences() -> Iterator[tuple[list[Case], dict[str, str]]]:
    """All cases, and what is not as they want it, by their notes."""
    every = list(cases())
    with _queue() as queue:
        found = {case.note: difference for case in every if (difference := _difference(queue, case)) is not None}
    return every, found


def test_only_the_named_cases_differ_and_each_for_its_reason(differences: tuple[list[Case], dict[str, str]]) -> None:
    _, found = differences
    unexpected = {note: difference for note, difference in found.items() if note not in EXCEPTIONS}
    assert unexpected == {}
    shown = {note: EXCEPTIONS[note]["says"] in difference for note, difference in found.items()}
    assert shown == dict.fromkeys(EXCEPTIONS, True)


def test_999_of_1000_value_cases_pass_and_every_error_case(differences: tuple[list[Case], dict[str, str]]) -> None:
    every, found = differences
    values = [case.note for case in every if not case.wants_an_error]
    errors = [case.note for case in every if case.wants_an_error]
    assert (len(values), len(errors)) == (2155, 245)
    assert len(found.keys() & set(values)) <= len(values) / 1000
    assert found.keys().isdisjoint(errors)


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_say_how_many_passed(differences: tuple[list[Case], dict[str, str]], page: str) -> None:
    every, found = differences
    errors = sum(case.wants_an_error for case in every)
    passed = (str(len(every) - errors - len(found)), str(len(every) - errors))
    text = (ROOT / page).read_text(encoding="utf-8").replace(",", "")
    of_values, of_errors = re.findall(r"(\d{4}) of (\d{4})", text), re.findall(r"all (\d+) with an error", text)
    assert (of_values, of_errors) == ([passed] * PAGES[page][0], [str(errors)] * PAGES[page][1])
