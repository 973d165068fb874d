import pytest
from core.stage import REQUEST, RESPONSE

from extproc.core.events import Direction
from extproc.core.inspection import BY_NAME, VISIBLE, State
from extproc.core.rules import Blocking, Limits, Mutations, Rules
from extproc.errors import Answer


@pytest.mark.parametrize(
    ("direction", "name", "permitted"),
    [
        (REQUEST, "x-a", True),
        (REQUEST, "x-ab", False),
        (REQUEST, "y-", True),
        (REQUEST, "y-anything", True),
        (REQUEST, "y", False),
        (REQUEST, "z", False),
        (RESPONSE, "x-a", False),
        (RESPONSE, "z", True),
        (RESPONSE, "y-a", False),
    ],
)
def test_a_pattern_is_a_name_or_a_beginning(direction: Direction, name: str, permitted: bool) -> None:  # noqa: FBT001 - the value
    assert Mutations(("x-a", "y-*"), ("z",)).permits(direction, name) is permitted


def test_a_star_alone_is_every_name_and_no_pattern_is_none() -> None:
    assert (Mutations(("*",), ()).permits(REQUEST, "a"), Mutations(("*",), ()).permits(RESPONSE, "a")) == (True, False)


def test_each_kind_of_error_has_its_configured_status() -> None:
    blocking = Blocking(status=401, failure_status=500)
    assert [blocking.status_of(answer) for answer in Answer] == [401, 500]


@pytest.mark.parametrize(
    ("size", "decoded"),
    [(0, 100), (9, 100), (10, 100), (11, 110), (99, 990), (100, 1_000), (101, 1_000)],
)
def test_a_coding_unfolds_to_a_plain_short_body_and_to_more_by_its_size(size: int, decoded: int) -> None:
    assert Limits(body_bytes=100, decoded_bytes=1_000, decoded_ratio=10).decoded(size) == decoded


@pytest.mark.parametrize(("size", "decoded"), [(0, 65_536), (328, 65_600), (764, 152_800), (60_000, 10 << 20)])
def test_a_short_body_is_one_of_64_kib_however_long_a_plain_one_may_be(size: int, decoded: int) -> None:
    assert Limits(body_bytes=1 << 20).decoded(size) == decoded


def test_the_limit_of_decoded_bytes_holds_where_a_plain_body_may_be_larger() -> None:
    assert Limits(body_bytes=100, decoded_bytes=50, decoded_ratio=10).decoded(10) == 50


def test_each_direction_has_its_limits() -> None:
    rules = Rules(request=Limits(1), response=Limits(2))
    assert [rules.limits(direction).body_bytes for direction in Direction] == [1, 2]


def test_every_state_that_a_policy_cannot_see_has_an_answer_by_default() -> None:
    answers = Rules().states
    assert set(answers[REQUEST]) == set(State) - VISIBLE - BY_NAME - {State.PARTIAL, State.STREAM}
    assert set(answers[RESPONSE]) == set(State) - VISIBLE - BY_NAME - {State.UPGRADE}
    assert all(isinstance(answer, int) and 400 <= answer < 500 for way in Direction for answer in answers[way].values())
