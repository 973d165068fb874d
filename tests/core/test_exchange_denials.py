"""What ends an exchange, and the modes in which it does not."""

from core.stage import (
    AT_REQUEST,
    AT_RESPONSE,
    EVENT_STREAM,
    JSON_TYPE,
    REQUEST,
    RESPONSE,
    TRACE,
    Stage,
    ids,
    outcomes,
    raises,
    request_body,
    request_headers,
    request_trailers,
    response_body,
    response_headers,
    says,
    too_large,
)

from extproc.core.budget import MemoryBudget
from extproc.core.events import Continue, Guard, ImmediateResponse, Part, Signal, Waiver
from extproc.core.headers import HeaderMutation
from extproc.core.inspection import State
from extproc.core.receipt import Claims, Outcome, RequestFacts
from extproc.core.rules import Mode, Rules
from extproc.errors import EngineError, Overloaded, ProtocolError

WHOLE = HeaderMutation(set=(("accept-encoding", b"identity"),), remove=("range", "if-range"))
BODY = b'{"a": 1.50}'
SHADOW = Rules(mode=Mode.SHADOW)
NO_RESPONSE_POINT = Rules(entrypoints={AT_REQUEST: "extproc/request/decision", AT_RESPONSE: None})


# ---------------------------------------------------------------- denials and failures


def test_a_denial_is_the_last_word_and_frees_the_body() -> None:
    budget = MemoryBudget(100)
    stage = Stage(engine=says(b"false"), budget=budget).play(request_headers(JSON_TYPE), request_body(BODY))
    own = (("content-type", b"application/problem+json"), ("cache-control", b"no-store"))
    text = b'{"type":"about:blank","title":"Forbidden","status":403,"detail":"Access Forbidden",'
    assert stage.replies[-1] == ImmediateResponse(
        status=403,
        mutation=HeaderMutation(set=own) + ids(0, b"deny"),
        body=text + b'"code":"policy_deny","receipt_id":"receipt-0"}',
        details="policy_deny",
        signal=Signal(request=Guard.DENY),
    )
    assert (stage.exchange.denied, budget.current, stage.close()) == (True, 0, None)


def test_the_request_body_is_kept_for_the_response_point_and_freed_after_it() -> None:
    budget = MemoryBudget(100)
    stage = Stage(budget=budget).play(request_headers(JSON_TYPE), request_body(BODY))
    assert budget.current == len(BODY)
    stage.play(response_headers(JSON_TYPE), response_body(BODY))
    assert budget.current == 0


def test_the_request_body_is_freed_at_once_where_no_response_will_be_judged() -> None:
    budget = MemoryBudget(100)
    Stage(NO_RESPONSE_POINT, budget=budget).play(request_headers(JSON_TYPE), request_body(BODY))
    assert budget.current == 0


def test_a_failing_engine_is_a_denial_with_its_own_word() -> None:
    stage = Stage(engine=raises(EngineError("secret"))).play(request_headers(end=True))
    reply = stage.replies[0]
    assert isinstance(reply, ImmediateResponse)
    assert (reply.status, reply.details, b"secret" in reply.body) == (503, "engine_error", False)
    assert outcomes(stage.log) == [("request", "error", ("engine_error",))]
    assert stage.log[0].policy is None


def test_a_full_budget_denies_the_exchange_and_takes_nothing() -> None:
    budget = MemoryBudget(4)
    stage = Stage(budget=budget).play(request_headers(), request_body(b"12345"))
    assert outcomes(stage.log) == [("request", "error", ("overloaded",))]
    assert (stage.log[0].request.inspection, stage.log[0].request.body_bytes) == (State.OVER_LIMIT, 5)
    assert budget.current == 0


def test_an_unwritable_allow_becomes_a_denial_without_a_receipt() -> None:
    stage = Stage(writable=lambda _: False).play(request_headers(end=True))
    reply = stage.replies[0]
    assert isinstance(reply, ImmediateResponse)
    assert (reply.status, reply.details, reply.signal) == (503, "evidence_unwritable", Signal(request=Guard.DENY))
    assert dict(reply.mutation.set).get("x-extproc-receipt-id") is None
    assert stage.close() is None


def test_an_operator_may_choose_to_allow_without_a_receipt() -> None:
    stage = Stage(writable=lambda _: False, allow_unrecorded=True).play(request_headers(end=True), response_headers())
    stated = HeaderMutation(set=ids(0).set[1:])
    assert stage.replies == [
        Continue(REQUEST, Part.HEADERS, WHOLE + stated, Signal(request=Guard.ALLOW)),
        Continue(RESPONSE, Part.HEADERS),
    ]


def test_a_failure_after_the_request_is_allowed_is_the_responses() -> None:
    stage = Stage().play(request_headers(end=True), request_body(b"more"))
    assert outcomes(stage.log) == [("request", "allow", ()), ("response", "error", ("protocol_error",))]
    assert stage.replies[-1].signal == Signal(response=Guard.DENY)
    assert stage.log[1].response is None


def test_a_first_message_that_is_none_is_recorded_without_a_request() -> None:
    stage = Stage().refused(ProtocolError("not a ProcessingRequest"))
    nothing = RequestFacts("", "", "", "", "", "", "", "", 0, State.NOT_SENT)
    assert stage.log == [
        Claims(AT_REQUEST, Outcome.ERROR, Mode.ENFORCE, 503, ("protocol_error",), nothing, trace=TRACE),
    ]


# ---------------------------------------------------------------- the modes


def test_in_shadow_mode_a_verdict_before_the_body_is_whole_lets_the_rest_pass() -> None:
    stage = Stage(SHADOW, budget=MemoryBudget(4)).play(request_headers(), request_body(b"12345", end=False))
    stage.play(request_trailers(), response_headers(EVENT_STREAM), response_body(b"a"))
    assert [reply.signal for reply in stage.replies] == [
        Signal(),
        Signal(request=Guard.ALLOW),
        Signal(),
        Signal(response=Guard.WAIVED),
        Signal(),
    ]
    assert isinstance(stage.replies[3], Continue)
    assert stage.replies[3].waiver is Waiver.BOTH
    assert outcomes(stage.log) == [("request", "error", ("overloaded",))]


def test_in_shadow_mode_envoys_own_limit_passes_as_waived() -> None:
    stage = Stage(SHADOW).play(request_headers(), too_large())
    stated = ids(0, b"none", policy=False)
    assert stage.replies[-1] == Continue(RESPONSE, Part.HEADERS, stated, Signal(response=Guard.WAIVED))
    assert outcomes(stage.log) == [("request", "deny", ("over_limit",))]


def test_in_off_mode_nobody_is_asked_and_nothing_is_blocked() -> None:
    off = Rules(mode=Mode.OFF)
    stage = Stage(off).play(request_headers(JSON_TYPE), request_body(b"{"), response_headers(), response_body(b"a"))
    assert (stage.asked, outcomes(stage.log)) == (
        [],
        [("request", "allow", ("policy_off",)), ("response", "allow", ("policy_off",))],
    )
    full = Stage(off, budget=MemoryBudget(1)).play(request_headers(), request_body(b"abc"))
    assert full.replies[-1].signal == Signal(request=Guard.ALLOW)
    assert outcomes(full.log) == [("request", "error", (Overloaded.code,))]
