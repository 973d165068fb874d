"""A body is held chunk by chunk within its limit and the budget."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from core.bodies import digest, held, no_effort
from core.coding.encoders import ENCODERS
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.body import Reassembly
from extproc.core.budget import MemoryBudget
from extproc.core.coding import DECODERS
from extproc.errors import BodyError, Overloaded

# ---------------------------------------------------------------- the budget


def test_a_budget_takes_what_fits_and_refuses_the_next_byte() -> None:
    budget = MemoryBudget(10)
    budget.charge(4)
    budget.charge(6)
    with pytest.raises(Overloaded):
        budget.charge(1)
    budget.charge(0)
    assert budget.current == 10


def test_what_is_released_can_be_charged_again() -> None:
    budget = MemoryBudget(10)
    budget.charge(10)
    budget.release(3)
    budget.charge(2)
    assert budget.current == 9


# ---------------------------------------------------------------- reassembly


def test_a_body_of_one_chunk_is_that_very_object() -> None:
    chunk = b"abc" * 5
    body = held(b"", chunk, b"")
    joined = body.data()
    assert held(chunk).data() is chunk
    assert joined == chunk
    assert body.data() is joined


def test_a_body_is_its_chunks_in_order_each_byte_charged_once() -> None:
    budget = MemoryBudget(6)
    body = Reassembly(6, budget, no_effort)
    for chunk in (b"ab", b"", b"cd", b"ef"):
        body.feed(chunk)
    assert (body.data(), body.size, body.over_limit, body.digest) == (b"abcdef", 6, False, digest(b"abcdef"))
    assert budget.current == 6


def test_one_byte_over_the_limit_drops_everything_and_only_counts_on() -> None:
    budget = MemoryBudget(100)
    body = Reassembly(4, budget, no_effort)
    for chunk in (b"abcd", b"e", b"", b"fg"):
        body.feed(chunk)
    assert (body.data(), body.size, body.over_limit, body.digest) == (b"", 7, True, "")
    assert budget.current == 0


def test_a_chunk_beyond_the_budget_changes_nothing() -> None:
    budget = MemoryBudget(4)
    body = Reassembly(100, budget, no_effort)
    body.feed(b"abc")
    with pytest.raises(Overloaded):
        body.feed(b"de")
    assert (body.data(), body.size, budget.current) == (b"abc", 3, 3)


def test_releasing_gives_the_bytes_back_once_and_keeps_the_count() -> None:
    budget = MemoryBudget(4)
    body = Reassembly(4, budget, no_effort)
    body.feed(b"abc")
    body.release()
    body.release()
    assert (body.data(), body.size, body.over_limit, body.digest, budget.current) == (b"", 3, False, "", 0)


def test_what_is_kept_beside_a_body_is_given_back_with_it_and_once() -> None:
    budget = MemoryBudget(100)
    other, body = Reassembly(100, budget, no_effort), Reassembly(100, budget, no_effort)
    other.feed(b"held")
    body.feed(b"abc")
    body.keep_beside(10)
    assert budget.current == 17
    body.release()
    body.release()
    assert budget.current == 4


def _decode(body: Reassembly, coded: bytes) -> None:
    body.release()
    body.feed(coded)
    body.decode(DECODERS["gzip"], 20)


_STEPS: dict[str, Callable[[Reassembly, bytes], None]] = {
    "feed": lambda body, data: body.feed(data),
    "decode": lambda body, data: _decode(body, ENCODERS["gzip"](data)),
    "decode what is cut": lambda body, data: _decode(body, ENCODERS["gzip"](data)[:-1]),
    "keep beside": lambda body, data: body.keep_beside(len(data)),
    "release": lambda body, _: body.release(),
}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(sorted(_STEPS)), st.binary(max_size=40)), max_size=20))
def test_whatever_is_done_to_bodies_a_budget_holds_their_bytes_and_then_none(
    steps: list[tuple[int, str, bytes]],
) -> None:
    budget = MemoryBudget(150)
    bodies = [Reassembly(300, budget, no_effort) for _ in range(3)]
    for number, step, data in steps:
        with suppress(BodyError, Overloaded):
            _STEPS[step](bodies[number], data)
        assert sum(len(body.data()) for body in bodies) <= budget.current <= 150
    for body in bodies:
        body.release()
    assert budget.current == 0
