"""The headers point: asked before the body is there, and alone in saying what may pass unseen."""

import json

import pytest
from core.stage import (
    AT_HEADERS,
    AT_REQUEST,
    AT_RESPONSE,
    EVENT_STREAM,
    JSON_TYPE,
    POLICY,
    REQUEST,
    RESPONSE,
    Stage,
    ids,
    outcomes,
    request_body,
    request_headers,
    response_body,
    response_headers,
)

from extproc.core.decision import parse_decision
from extproc.core.engine import Evaluation, Question
from extproc.core.events import Continue, Direction, Guard, ImmediateResponse, Part, Signal, Waiver
from extproc.core.headers import HeaderMutation
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.rules import Mode, Rules
from extproc.errors import InvalidDecision, MutationRefused

POINTS = {AT_HEADERS: "extproc/headers/decision", AT_REQUEST: "a/b", AT_RESPONSE: "a/c"}
RULES = Rules(entrypoints=POINTS)
BODY = b'{"a": 1}'
UPGRADE = (("connection", b"upgrade"), ("upgrade", b"websocket"))


def answering(headers: bytes, *, rules: Rules = RULES) -> Stage:
    """A policy that says this at the headers, and allows at the other points."""

    def decide(question: Question) -> Evaluation:
        return Evaluation(headers if question.point is AT_HEADERS else b"true", POLICY, 40)

    return Stage(rules, decide)


def inspecting(request: str = "true", response: str = "true") -> bytes:
    return f'{{"allowed":true,"inspect":{{"request_body":{request},"response_body":{response}}}}}'.encode()


def test_it_sees_the_headers_and_no_body() -> None:
    stage = answering(b"true").play(request_headers(JSON_TYPE))
    shown = json.loads(stage.asked[0].input)
    assert (stage.asked[0].point, shown["phase"], shown["inspection"]["request"]["state"]) == (
        AT_HEADERS,
        "headers",
        "pending",
    )
    assert shown["inspection"]["request"]["media_type"] == "application/json"
    assert "parsed_body" not in shown


def test_what_it_lets_go_on_is_held_until_the_body_is_there() -> None:
    stage = answering(b"true").play(request_headers(JSON_TYPE), request_body(BODY))
    assert isinstance(stage.replies[0], Continue)
    assert (stage.replies[0].signal, stage.replies[0].waiver) == (Signal(), None)
    assert stage.replies[1] == Continue(REQUEST, Part.BODY, ids(1), Signal(request=Guard.ALLOW))
    assert [(claims.phase, claims.request.inspection) for claims in stage.log] == [
        (AT_HEADERS, State.PENDING),
        (AT_REQUEST, State.COMPLETE),
    ]
    assert (stage.log[0].parent_receipt, stage.log[1].parent_receipt) == (None, "receipt-0")


def test_its_denial_is_the_end() -> None:
    stage = answering(b'{"allowed":false,"http_status":401}').play(request_headers(JSON_TYPE), request_body(BODY))
    (reply,) = stage.replies
    assert isinstance(reply, ImmediateResponse)
    assert (reply.status, reply.signal) == (401, Signal(request=Guard.DENY))
    assert outcomes(stage.log) == [("headers", "deny", ("policy_deny",))]


@pytest.mark.parametrize(
    ("answer", "waiver", "guard", "waives"),
    [
        (inspecting(request="false"), Waiver.REQUEST, None, {REQUEST}),
        (inspecting(request="false", response="false"), Waiver.BOTH, Guard.WAIVED, {REQUEST, RESPONSE}),
    ],
)
def test_a_request_body_that_it_waives_is_never_asked_for(
    answer: bytes, waiver: Waiver, guard: Guard | None, waives: set[Direction]
) -> None:
    stage = answering(answer).play(request_headers(JSON_TYPE))
    (reply,) = stage.replies
    assert isinstance(reply, Continue)
    assert (reply.waiver, reply.signal) == (waiver, Signal(request=Guard.ALLOW, response=guard))
    assert [claims.request.inspection for claims in stage.log] == [State.PENDING, State.WAIVED]
    assert [claims.waives for claims in stage.log] == [waives, frozenset()]
    assert json.loads(stage.asked[1].input)["inspection"]["request"]["state"] == "waived"


def test_the_response_to_a_waived_request_is_judged() -> None:
    stage = answering(inspecting(request="false")).play(
        request_headers(JSON_TYPE), response_headers(JSON_TYPE), response_body(BODY)
    )
    assert stage.replies[-1] == Continue(RESPONSE, Part.BODY, ids(2), Signal(response=Guard.ALLOW))


@pytest.mark.parametrize("media", [JSON_TYPE, EVENT_STREAM])
def test_a_response_that_it_waives_passes_at_its_headers(media: tuple[str, bytes]) -> None:
    stage = answering(inspecting(response="false")).play(
        request_headers(JSON_TYPE), request_body(BODY), response_headers(media)
    )
    so_far = HeaderMutation(set=(*ids(1).set[:1], ("x-extproc-verdict", b"none")))
    assert stage.replies[1:] == [
        Continue(REQUEST, Part.BODY, ids(1), Signal(request=Guard.ALLOW, response=Guard.WAIVED)),
        Continue(RESPONSE, Part.HEADERS, so_far, Signal(response=Guard.WAIVED), Waiver.BOTH),
    ]
    assert len(stage.log) == 2


def test_an_upgrade_that_it_does_not_name_is_denied() -> None:
    stage = answering(b"true").play(request_headers(*UPGRADE))
    assert outcomes(stage.log) == [("headers", "allow", ()), ("request", "deny", ("upgrade",))]


def test_an_upgrade_that_it_names_passes_in_both_directions() -> None:
    stage = answering(inspecting(request="false")).play(request_headers(*UPGRADE), response_headers(status=b"101"))
    assert [reply.waiver for reply in stage.replies if isinstance(reply, Continue)] == [Waiver.BOTH, None]
    assert [claims.request.inspection for claims in stage.log] == [State.UPGRADE, State.UPGRADE]


def test_a_request_without_a_body_is_decided_in_the_same_reply() -> None:
    stage = answering(inspecting(request="false")).play(request_headers(end=True))
    (reply,) = stage.replies
    assert isinstance(reply, Continue)
    assert (reply.waiver, reply.signal, len(stage.log)) == (None, Signal(request=Guard.ALLOW), 2)


def test_a_stream_that_ends_while_the_body_is_awaited_is_an_error_of_the_request() -> None:
    stage = answering(b"true").play(request_headers(JSON_TYPE))
    claims = stage.close()
    assert claims is not None
    assert (claims.phase, claims.reasons) == (AT_REQUEST, ("stream_ended",))


def test_in_off_mode_nobody_is_asked() -> None:
    stage = answering(b"false", rules=Rules(mode=Mode.OFF, entrypoints=POINTS)).play(request_headers(end=True))
    assert (stage.asked, outcomes(stage.log)) == ([], [("request", "allow", ("policy_off",))])


def test_it_changes_nothing() -> None:
    with pytest.raises(MutationRefused, match="the headers point changes nothing"):
        parse_decision(b'{"allowed":true,"headers":{"x-extproc-a":"b"}}', AT_HEADERS, RULES)


@pytest.mark.parametrize("point", [AT_REQUEST, AT_RESPONSE])
def test_no_other_point_can_waive_a_body(point: Point) -> None:
    with pytest.raises(InvalidDecision, match="the headers point alone"):
        parse_decision(inspecting(request="false"), point, RULES)


def test_a_denial_waives_nothing() -> None:
    decision = parse_decision(b'{"allowed":false,"inspect":{"request_body":false}}', AT_HEADERS, RULES)
    assert decision.waives == frozenset()
