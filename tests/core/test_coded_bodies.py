"""A body under a content coding: what the policy sees, what is held for it, and what is given back."""

import tracemalloc
from hashlib import sha256

import pytest
from core.bodies import no_effort
from core.coded import CODINGS, LIMITS, MIB, PLAIN, coding
from core.coding.encoders import ENCODERS
from core.stage import JSON_TYPE, REQUEST

from extproc.core.body import Reassembly, inspect
from extproc.core.budget import MemoryBudget
from extproc.core.coding import DECODERS
from extproc.core.events import Headers
from extproc.core.headers import HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits
from extproc.errors import OverLimit, Overloaded, Undecodable


def _held(data: bytes, budget: MemoryBudget | None = None, limit_bytes: int = 1_000) -> Reassembly:
    body = Reassembly(limit_bytes, budget or MemoryBudget(10 * MIB), no_effort)
    body.feed(data)
    return body


def _inspected(data: bytes, *pairs: tuple[str, bytes], limits: Limits = LIMITS) -> Inspection:
    return inspect(Headers(REQUEST, HeaderMap(pairs), end_of_stream=False), _held(data), limits)


# ---------------------------------------------------------------- what is seen


@pytest.mark.parametrize("name", [*CODINGS, "GZIP", "Br"])
def test_the_policy_sees_the_decoded_bytes_and_the_receipt_those_on_the_wire(name: str) -> None:
    wire = ENCODERS[name.lower()](PLAIN)
    length = ("content-length", str(len(wire)).encode())
    assert _inspected(wire, JSON_TYPE, coding(name), length) == Inspection(
        State.COMPLETE,
        media_type="application/json",
        encodings=(name.lower(),),
        size=len(wire),
        decoded_size=len(PLAIN),
        digest=sha256(wire).hexdigest(),
        raw=PLAIN,
        parsed=PLAIN,
    )


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize("types", [(), (b"application/json",), (b"text/plain", b"text/html")])
def test_a_coding_of_nothing_is_empty_as_nothing_is(name: str, types: tuple[bytes, ...]) -> None:
    seen = _inspected(ENCODERS[name](b""), *(("content-type", value) for value in types), coding(name))
    assert (seen.state, seen.raw, seen.decoded_size) == (State.EMPTY, b"", 0)
    assert seen.size > 0


@pytest.mark.parametrize("name", CODINGS)
def test_a_stream_that_is_not_whole_keeps_its_bytes_as_they_came(name: str) -> None:
    wire = ENCODERS[name](PLAIN)[:-1]
    assert _inspected(wire, JSON_TYPE, coding(name)) == Inspection(
        State.UNDECODABLE,
        media_type="application/json",
        encodings=(name,),
        size=len(wire),
        digest=sha256(wire).hexdigest(),
        raw=wire,
    )


@pytest.mark.parametrize(
    ("types", "plain", "state"),
    [
        ((b"application/json",), b"{", State.MALFORMED),
        ((b"application/json",), b'{"a":1,"a":2}', State.MALFORMED),
        ((b"text/html",), b"[1]", State.TYPE_MISMATCH),
        ((b"text/html", b"text/html"), b"<a>", State.TYPE_MISMATCH),
        ((b"text/plain",), b"\xff", State.UNDECODABLE),
        ((b"image/png",), b"\xff", State.OPAQUE),
    ],
)
def test_the_rules_of_the_type_hold_under_a_coding(types: tuple[bytes, ...], plain: bytes, state: State) -> None:
    seen = _inspected(ENCODERS["gzip"](plain), *(("content-type", value) for value in types), coding("gzip"))
    assert (seen.state, seen.raw, seen.decoded_size) == (state, plain, len(plain))


def test_a_coding_does_not_undo_itself_twice() -> None:
    once = ENCODERS["gzip"](PLAIN)
    assert _inspected(ENCODERS["gzip"](once), JSON_TYPE, coding("gzip")).state is State.MALFORMED


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize(("length", "state"), [(1_000, State.COMPLETE), (1_001, State.OVER_LIMIT)])
def test_a_short_body_may_unfold_to_what_a_plain_one_may_have(name: str, length: int, state: State) -> None:
    wire = ENCODERS[name](b"a" * length)
    assert len(wire) < length / LIMITS.decoded_ratio
    seen = _inspected(wire, ("content-type", b"text/plain"), coding(name))
    assert (seen.state, seen.size, seen.digest) == (state, len(wire), sha256(wire).hexdigest())
    assert (seen.decoded_size, len(seen.raw)) == ((0, 0) if state is State.OVER_LIMIT else (length, length))


@pytest.mark.parametrize("name", CODINGS)
@pytest.mark.parametrize(("lists", "state"), [(20_000, State.COMPLETE), (249_000, State.OVER_LIMIT)])
def test_a_few_bytes_do_not_buy_a_body_that_is_dear_to_judge(name: str, lists: int, state: State) -> None:
    wire = ENCODERS[name](b"[" + b"[]," * lists + b"[]]")
    assert len(wire) < 3_000
    assert _inspected(wire, JSON_TYPE, coding(name), limits=Limits()).state is state


@pytest.mark.parametrize("name", CODINGS)
def test_more_needs_its_share_on_the_wire(name: str) -> None:
    text = b"".join(b"%d" % (n * n) for n in range(400))
    assert 1_000 < len(text) < 10 * len(ENCODERS[name](text))
    assert _inspected(ENCODERS[name](text), ("content-type", b"text/plain"), coding(name)).raw == text


@pytest.mark.parametrize("name", CODINGS)
def test_a_bomb_is_never_held_beyond_the_limit(name: str) -> None:
    budget = MemoryBudget(10 * MIB)
    body = _held(ENCODERS[name](b"\0" * (32 * MIB)), budget, MIB)
    wire_bytes = budget.current
    tracemalloc.start()
    with pytest.raises(OverLimit):
        body.decode(DECODERS[name], 4 * MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * MIB + wire_bytes
    assert (body.data(), body.decoded, budget.current) == (b"", False, 0)


# ---------------------------------------------------------------- the budget


@pytest.mark.parametrize("name", CODINGS)
def test_decoded_bytes_take_the_place_of_those_on_the_wire(name: str) -> None:
    budget = MemoryBudget(10_000)
    body = _held(ENCODERS[name](b"a" * 9_000), budget)
    body.decode(DECODERS[name], 9_000)
    assert (body.data(), body.decoded, body.digest, budget.current) == (b"a" * 9_000, True, "", 9_000)
    body.release()
    body.release()
    assert (body.data(), budget.current) == (b"", 0)


@pytest.mark.parametrize("name", CODINGS)
def test_a_full_budget_and_a_broken_stream_change_nothing(name: str) -> None:
    wire = ENCODERS[name](b"a" * 9_000)
    for data, error in ((wire, Overloaded), (wire[:-1], Undecodable)):
        budget = MemoryBudget(9_000 + (len(wire) if error is Undecodable else 0))
        body = _held(data, budget)
        with pytest.raises(error):
            body.decode(DECODERS[name], 20_000)
        assert (body.data(), body.decoded, budget.current) == (data, False, len(data))
