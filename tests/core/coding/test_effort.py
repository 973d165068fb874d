from collections.abc import Callable, Iterator
from itertools import count

import pytest
from core.coded import CODINGS, MIB
from core.coding.encoders import ENCODERS, incompressible

from extproc.core.body import Reassembly
from extproc.core.budget import MemoryBudget
from extproc.core.coding import DECODERS
from extproc.core.coding.effort import bounded
from extproc.errors import Undecodable

_MS = 1_000_000


class _Thread:
    """A thread that has worked before, and the CPU that it has used."""

    def __init__(self) -> None:
        self.used_ns = 7_000 * _MS

    def __call__(self) -> int:
        return self.used_ns

    def decoder(self, *steps: tuple[int, int]) -> Iterator[bytes]:
        """Pieces of so many bytes, each after so many nanoseconds of work."""
        for size, used_ns in steps:
            self.used_ns += used_ns
            yield bytes(size)


def _taken(*steps: tuple[int, int]) -> tuple[int, bool]:
    """How many bytes were given, and whether that was all."""
    thread, given = _Thread(), 0
    try:
        for piece in bounded(lambda _: thread.decoder(*steps), b"", thread):
            given += len(piece)
    except Undecodable:
        return given, False
    return given, True


def test_a_body_of_which_nothing_comes_may_take_40_ms() -> None:
    assert _taken((0, 10 * _MS), (0, 30 * _MS)) == (0, True)
    assert _taken((0, 10 * _MS), (0, 30 * _MS), (0, 1)) == (0, False)


def test_each_megabyte_that_comes_of_it_may_take_75_ms_more() -> None:
    assert _taken((1_000_000, 115 * _MS), (0, 0), (3_000_000, 225 * _MS)) == (4_000_000, True)
    assert _taken((1_000_000, 115 * _MS), (1, 76)) == (1_000_000, False)


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("body", [bytes, incompressible])
def test_the_clock_is_asked_for_each_kibibyte_on_the_wire(name: str, body: Callable[[int], bytes]) -> None:
    """Nothing can interrupt a call of a library, so none is given more."""
    wire = ENCODERS[name](body(100_000))
    looks = count()
    for _ in bounded(DECODERS[name], wire, lambda: 0 * next(looks)):
        pass
    assert next(looks) > len(wire) / 1_024


@pytest.mark.parametrize("name", CODINGS)
def test_a_body_that_takes_too_long_keeps_its_bytes_as_they_came(name: str) -> None:
    wire = ENCODERS[name](b"a" * 200_000)
    budget = MemoryBudget(MIB)
    body = Reassembly(MIB, budget, count(0, 30 * _MS).__next__)
    body.feed(wire)
    with pytest.raises(Undecodable):
        body.decode(DECODERS[name], MIB)
    assert (body.data(), body.decoded, budget.current) == (wire, False, len(wire))
