"""Whatever Envoy sends and whatever policy and log do: the invariants of docs/exchange.md hold."""

from collections import Counter
from hashlib import sha256
from itertools import pairwise

from core.anything import EVENTS, JUST_ANYTHING, LIMITS, Fate, fates, nearly_legal, ruleses
from core.stage import JSON_TYPE, Stage, request_body, request_headers
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.core.budget import MemoryBudget
from extproc.core.events import Continue, Event, Guard, ImmediateResponse
from extproc.core.point import Point
from extproc.core.receipt import Claims
from extproc.core.rules import Mode, Rules
from extproc.core.state import Phase
from extproc.errors import ProtocolError

BUDGET_BYTES = 64

# ---------------------------------------------------------------- one body, however it is cut


@given(st.binary(max_size=40) | st.sampled_from([b'{"a": [1, 2.50]}', b"a=1&b=2", b"[1"]), st.lists(st.integers(0, 40)))
def test_any_split_of_a_body_gives_the_same_input_digest_and_verdict(body: bytes, cuts: list[int]) -> None:
    edges = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    pieces = [body[start:end] for start, end in pairwise(edges)] or [b""]
    rules = Rules(request=LIMITS)
    whole = Stage(rules).play(request_headers(JSON_TYPE), request_body(body))
    split = Stage(rules).play(
        request_headers(JSON_TYPE),
        *(request_body(piece, end=False) for piece in pieces[:-1]),
        request_body(pieces[-1]),
    )
    assert (split.asked, split.log, split.replies[-1]) == (whole.asked, whole.log, whole.replies[-1])
    assert split.log[0].request.body_digest == (sha256(body).hexdigest() if len(body) <= LIMITS.body_bytes else "")


# ---------------------------------------------------------------- any messages at all


def _play(stage: Stage, events: list[Event | ProtocolError]) -> None:
    """Send everything, as the service does; a message that nothing permits must leave the exchange as it was."""
    for event in events:
        if stage.exchange.denied:
            return
        if isinstance(event, ProtocolError):
            stage.refused(event)
        else:
            stage.play(event)


@settings(max_examples=300)
@given(ruleses, JUST_ANYTHING | nearly_legal(), fates)
def test_whatever_happens_the_invariants_hold(rules: Rules, events: list[Event | ProtocolError], fate: Fate) -> None:
    budget = MemoryBudget(BUDGET_BYTES)
    stage = Stage(rules, fate.decide, fate.writable, budget=budget)
    _play(stage, events)
    _check_replies(stage)
    log_before_close = list(stage.log)
    stage.close()
    assert budget.current == 0
    _check_log(stage.log)
    if stage.exchange.denied:
        assert stage.log == log_before_close  # nothing is recorded after a denial
    assert not (rules.mode is Mode.OFF and stage.asked)


def _check_replies(stage: Stage) -> None:
    """An ImmediateResponse is the last; an allow has its receipt; shadow blocks only on our own outage."""
    *earlier, _ = stage.replies or [None]
    assert not any(isinstance(reply, ImmediateResponse) for reply in earlier)
    written = {f"receipt-{number}".encode(): claims for number, claims in enumerate(stage.log)}
    for reply in stage.replies:
        ids = dict(reply.mutation.set)
        if reply.signal.request is Guard.ALLOW or (
            isinstance(reply, Continue) and reply.signal.response is Guard.ALLOW
        ):
            claims = written[ids["x-extproc-receipt-id"]]
            assert claims.phase.value == ("request" if reply.signal.request is Guard.ALLOW else "response")
            assert claims.mode is not Mode.ENFORCE or claims.outcome.value == "allow"
        if isinstance(reply, ImmediateResponse) and stage.rules.mode is not Mode.ENFORCE:
            assert reply.details in {"protocol_error", "evidence_unwritable"}


def _check_log(log: list[Claims]) -> None:
    """At most one receipt for each point; a message out of order may add the one that ends the exchange."""
    broken = [claims for claims in log if claims.reasons == ("protocol_error",)]
    assert broken in ([], log[-1:])
    points = Counter(claims.phase for claims in log if claims.reasons != ("protocol_error",))
    assert set(points.values()) <= {1}
    assert [claims.phase for claims in log] == sorted((claims.phase for claims in log), key=list(Point).index)


# ---------------------------------------------------------------- a message out of order


def _state(stage: Stage) -> dict[str, object]:
    """Everything that an exchange remembers, with what it is made of."""
    exchange = dict(vars(stage.exchange))
    intakes = {way: dict(vars(intake)) for way, intake in exchange.pop("_intakes").items()}
    bodies = {way: dict(vars(intake.pop("_body"))) for way, intake in intakes.items()}
    return {"exchange": exchange, "intakes": intakes, "bodies": bodies}


@settings(max_examples=300)
@given(ruleses, JUST_ANYTHING | nearly_legal(), EVENTS)
def test_a_message_that_the_table_does_not_hold_changes_nothing(
    rules: Rules, events: list[Event | ProtocolError], last: Event
) -> None:
    stage = Stage(rules)
    _play(stage, events)
    before = _state(stage)
    try:
        stage.exchange.receive(last)
    except ProtocolError:
        assert _state(stage) == before


@given(EVENTS)
def test_after_the_end_nothing_is_legal(event: Event) -> None:
    stage = Stage()
    stage.close()
    assert stage.exchange._phase is Phase.ENDED  # noqa: SLF001 - the state has no other window
    reply = stage.reply(event)
    assert isinstance(reply, ImmediateResponse)
    assert reply.details == "protocol_error"


def test_the_events_of_these_tests_reach_every_phase() -> None:
    """A property over runs that all end at the first message would prove nothing."""
    reached: Counter[Phase] = Counter()

    @settings(max_examples=500, database=None, derandomize=True)
    @given(nearly_legal())
    def walk(events: list[Event | ProtocolError]) -> None:
        stage = Stage()
        for event in events:
            _play(stage, [event])
            reached[stage.exchange._phase] += 1  # noqa: SLF001 - the state has no other window

    walk()
    assert set(reached) == set(Phase) - {Phase.START}
