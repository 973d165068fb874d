"""What is not ours to judge: bodies without an end, and replies that are not the upstream's."""

import json
from hashlib import sha256

from core.stage import (
    AT_REQUEST,
    AT_RESPONSE,
    EVENT_STREAM,
    REQUEST,
    RESPONSE,
    Stage,
    ids,
    outcomes,
    request_body,
    request_headers,
    response_body,
    response_headers,
    too_large,
)

from extproc.core.budget import MemoryBudget
from extproc.core.events import Continue, Guard, ImmediateResponse, Part, Signal, Waiver
from extproc.core.headers import HeaderMutation
from extproc.core.inspection import State
from extproc.core.receipt import ResponseFacts
from extproc.core.rules import Mode, Rules

WHOLE = HeaderMutation(set=(("accept-encoding", b"identity"),), remove=("range", "if-range"))
SHADOW = Rules(mode=Mode.SHADOW)
NO_RESPONSE_POINT = Rules(entrypoints={AT_REQUEST: "extproc/request/decision", AT_RESPONSE: None})


# ---------------------------------------------------------------- bodies without an end


UPGRADE = (("connection", b"keep-alive, Upgrade"), ("upgrade", b"websocket"))


def test_an_upgrade_is_denied_at_its_headers_by_name() -> None:
    stage = Stage().play(request_headers(*UPGRADE))
    assert stage.asked == []
    assert outcomes(stage.log) == [("request", "deny", ("upgrade",))]


def test_an_upgrade_that_passes_is_never_buffered() -> None:
    stage = Stage(SHADOW).play(request_headers(*UPGRADE), response_headers(status=b"101"))
    shadowed = ids(0, b"deny", policy=False)
    signal = Signal(request=Guard.ALLOW, response=Guard.WAIVED)
    assert stage.replies == [
        Continue(REQUEST, Part.HEADERS, WHOLE + shadowed, signal, waiver=Waiver.BOTH),
        Continue(
            RESPONSE,
            Part.HEADERS,
            HeaderMutation(set=(shadowed.set[0], ("x-extproc-verdict", b"none"))),
            Signal(response=Guard.WAIVED),
        ),
    ]


def test_an_event_stream_that_passes_is_never_buffered() -> None:
    stage = Stage(SHADOW).play(request_headers(end=True), response_headers(EVENT_STREAM))
    assert stage.replies[1] == Continue(
        RESPONSE,
        Part.HEADERS,
        ids(1, b"deny", policy=False),
        Signal(response=Guard.WAIVED),
        waiver=Waiver.BOTH,
    )


def test_an_event_stream_that_ends_with_its_headers_is_an_empty_response() -> None:
    stage = Stage().play(request_headers(end=True), response_headers(EVENT_STREAM, end=True))
    assert stage.log[1].response == ResponseFacts(200, sha256(b"").hexdigest(), 0, State.EMPTY)


def test_an_upgrade_may_be_left_to_the_policy() -> None:
    rules = Rules(states={REQUEST: {State.UPGRADE: "evaluate"}, RESPONSE: {}})
    stage = Stage(rules).play(request_headers(*UPGRADE))
    assert json.loads(stage.asked[0].input)["inspection"]["request"]["state"] == "upgrade"
    assert stage.replies[0].signal == Signal(request=Guard.ALLOW, response=Guard.WAIVED)


# ---------------------------------------------------------------- replies that are not the upstream's


LOCAL = response_headers(details="rbac_access_denied_matched_policy[none]")


def test_a_local_reply_before_any_request_passes_unrecorded() -> None:
    stage = Stage().play(LOCAL, response_body(b"denied"))
    assert stage.replies == [
        Continue(
            RESPONSE,
            Part.HEADERS,
            HeaderMutation(set=(("x-extproc-verdict", b"none"),)),
            Signal(response=Guard.WAIVED),
        ),
        Continue(RESPONSE, Part.BODY),
    ]
    assert (stage.log, stage.close()) == ([], None)


def test_a_local_reply_while_the_verdict_is_due_closes_it_by_a_receipt() -> None:
    stage = Stage().play(request_headers(), LOCAL)
    stated = ids(0, b"none", policy=False)
    assert stage.replies[-1] == Continue(RESPONSE, Part.HEADERS, stated, Signal(response=Guard.WAIVED))
    assert outcomes(stage.log) == [("request", "error", ("local_reply",))]
    assert stage.close() is None


def test_a_local_reply_after_the_verdict_carries_its_receipt() -> None:
    stage = Stage().play(request_headers(end=True), LOCAL)
    stated = ids(0, b"none", policy=False)
    assert stage.replies[-1] == Continue(RESPONSE, Part.HEADERS, stated, Signal(response=Guard.WAIVED))
    assert outcomes(stage.log) == [("request", "allow", ())]


def test_after_a_local_reply_nothing_is_held_for_the_response_that_will_not_come() -> None:
    budget = MemoryBudget(100)
    stage = Stage(budget=budget).play(request_headers(), request_body(b"abc"))
    assert budget.current == 3
    stage.play(LOCAL)
    assert budget.current == 0


def test_a_direct_response_is_judged_like_an_upstreams() -> None:
    stage = Stage().play(request_headers(end=True), response_headers(details="direct_response", end=True))
    assert outcomes(stage.log) == [("request", "allow", ()), ("response", "allow", ())]


def test_a_request_that_outgrew_envoys_buffer_is_answered_in_our_words() -> None:
    stage = Stage().play(request_headers(), too_large())
    reply = stage.replies[-1]
    assert isinstance(reply, ImmediateResponse)
    assert (reply.status, reply.details, reply.signal) == (413, "over_limit", Signal(request=Guard.DENY))
    assert stage.log[0].request.inspection is State.OVER_LIMIT


def test_a_request_that_outgrew_envoys_buffer_is_413_even_where_the_policy_was_to_see_it() -> None:
    rules = Rules(states={REQUEST: {State.OVER_LIMIT: "evaluate"}, RESPONSE: {}})
    stage = Stage(rules).play(request_headers(), too_large())
    assert (stage.replies[-1].status, stage.asked) == (413, [])


def test_a_response_that_nobody_judges_passes_with_the_requests_receipt() -> None:
    stage = Stage(NO_RESPONSE_POINT).play(request_headers(end=True), response_headers(), response_body(b"a"))
    assert stage.replies == [
        Continue(REQUEST, Part.HEADERS, ids(0), Signal(request=Guard.ALLOW, response=Guard.WAIVED)),
        Continue(RESPONSE, Part.HEADERS, ids(0, b"none", policy=False), Signal(response=Guard.WAIVED)),
        Continue(RESPONSE, Part.BODY),
    ]
