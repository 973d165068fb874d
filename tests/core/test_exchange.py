"""The two halves of an exchange, message by message (docs/wire.md)."""

import json
from hashlib import sha256

import pytest
from core.stage import (
    AT_REQUEST,
    AT_RESPONSE,
    JSON_TYPE,
    POLICY,
    REQUEST,
    RESPONSE,
    TRACE,
    Stage,
    ids,
    outcomes,
    request_body,
    request_headers,
    request_trailers,
    response_body,
    response_headers,
    response_trailers,
    says,
)

from extproc.core.budget import MemoryBudget
from extproc.core.events import Continue, Guard, ImmediateResponse, Part, Signal
from extproc.core.headers import HeaderMutation
from extproc.core.inspection import State
from extproc.core.receipt import Claims, MutationFact, Outcome, PolicyFacts, RequestFacts, ResponseFacts
from extproc.core.rules import Mode, Rules
from extproc.core.trace import TraceContext

WHOLE = HeaderMutation(set=(("accept-encoding", b"identity"),), remove=("range", "if-range"))
PLAIN = HeaderMutation(set=WHOLE.set, remove=WHOLE.remove)
BODY = b'{"a": 1.50}'
SHADOW = Rules(mode=Mode.SHADOW)
NO_RESPONSE_POINT = Rules(entrypoints={AT_REQUEST: "extproc/request/decision", AT_RESPONSE: None})


def _policy(stage: Stage, number: int, entrypoint: str, result: bytes = b"true") -> PolicyFacts:
    asked = sha256(stage.asked[number].input).hexdigest()
    return PolicyFacts(entrypoint, POLICY, "d-1", asked, sha256(result).hexdigest())


# ---------------------------------------------------------------- the whole way


def test_a_request_without_a_body_is_decided_at_its_headers() -> None:
    stage = Stage().play(request_headers(end=True))
    assert stage.replies == [
        Continue(REQUEST, Part.HEADERS, WHOLE + ids(0), Signal(request=Guard.ALLOW)),
    ]
    assert stage.log == [
        Claims(
            phase=REQUEST,
            outcome=Outcome.ALLOW,
            mode=Mode.ENFORCE,
            status=None,
            reasons=(),
            request=RequestFacts("", "GET", "shop.example", "/a", "", "", "", sha256(b"").hexdigest(), 0, State.EMPTY),
            policy=_policy(stage, 0, "extproc/request/decision"),
            duration_us=40,
            trace=TRACE,
        )
    ]


def test_an_exchange_with_two_bodies_is_decided_at_each_of_them() -> None:
    stage = Stage().play(
        request_headers(JSON_TYPE), request_body(BODY), response_headers(JSON_TYPE), response_body(BODY)
    )
    assert stage.replies == [
        Continue(REQUEST, Part.HEADERS, WHOLE),
        Continue(REQUEST, Part.BODY, ids(0), Signal(request=Guard.ALLOW)),
        Continue(RESPONSE, Part.HEADERS, HeaderMutation(set=ids(0).set[:1])),
        Continue(RESPONSE, Part.BODY, ids(1), Signal(response=Guard.ALLOW)),
    ]
    digest = sha256(BODY).hexdigest()
    request = RequestFacts("", "POST", "shop.example", "/a", "", "", "", digest, len(BODY), State.COMPLETE)
    shared = {"outcome": Outcome.ALLOW, "mode": Mode.ENFORCE, "status": None, "reasons": (), "request": request}
    assert stage.log == [
        Claims(
            phase=REQUEST,
            policy=_policy(stage, 0, "extproc/request/decision"),
            duration_us=40,
            trace=TRACE,
            **shared,
        ),
        Claims(
            phase=RESPONSE,
            response=ResponseFacts(200, digest, len(BODY), State.COMPLETE),
            policy=_policy(stage, 1, "extproc/response/decision"),
            duration_us=40,
            parent_receipt="receipt-0",
            trace=TRACE,
            **shared,
        ),
    ]
    assert stage.close() is None


def test_the_response_point_sees_both_bodies_as_they_were_sent() -> None:
    stage = Stage().play(
        request_headers(JSON_TYPE), request_body(BODY), response_headers(JSON_TYPE), response_body(b"[2.50]")
    )
    assert [b'"parsed_body":{"a": 1.50}' in asked.input for asked in stage.asked] == [True, True]
    assert [b'"parsed_response_body":[2.50]' in asked.input for asked in stage.asked] == [False, True]


def test_a_request_with_trailers_is_decided_at_its_trailers() -> None:
    stage = Stage().play(request_headers(JSON_TYPE), request_body(BODY, end=False), request_trailers(("x-sum", b"1")))
    assert stage.replies[1:] == [
        Continue(REQUEST, Part.BODY),
        Continue(REQUEST, Part.TRAILERS, ids(0), Signal(request=Guard.ALLOW)),
    ]
    assert json.loads(stage.asked[0].input)["attributes"]["request"]["http"]["trailers"] == {"x-sum": "1"}


def test_trailers_without_a_body_that_was_announced_are_not_sent() -> None:
    stage = Stage().play(request_headers(("content-length", b"5")), request_trailers())
    assert isinstance(stage.replies[-1], ImmediateResponse)
    assert (stage.replies[-1].status, outcomes(stage.log)) == (403, [("request", "deny", ("not_sent",))])


def test_a_response_without_a_body_is_decided_at_its_headers() -> None:
    stage = Stage().play(request_headers(end=True), response_headers(status=b"204", end=True))
    assert stage.replies[1] == Continue(RESPONSE, Part.HEADERS, ids(1), Signal(response=Guard.ALLOW))
    assert stage.log[1].response == ResponseFacts(204, sha256(b"").hexdigest(), 0, State.EMPTY)


def test_a_response_with_trailers_is_decided_at_its_trailers() -> None:
    stage = Stage().play(
        request_headers(end=True), response_headers(), response_body(b"a", end=False), response_trailers(("x-a", b"1"))
    )
    so_far = HeaderMutation(set=ids(0).set[:1])
    assert stage.replies[2:] == [
        Continue(RESPONSE, Part.BODY, so_far),
        Continue(RESPONSE, Part.TRAILERS, ids(1), Signal(response=Guard.ALLOW)),
    ]
    assert json.loads(stage.asked[1].input)["attributes"]["response"]["http"]["trailers"] == {"x-a": "1"}


# ---------------------------------------------------------------- what the policy wants changed


def test_changes_go_with_the_reply_that_decides_and_into_the_receipt() -> None:
    said = b'{"allowed":true,"headers":{"x-extproc-team":"shop"},"response_headers_to_add":{"x-extproc-a":"b"}}'
    stage = Stage(engine=says(said)).play(request_headers(end=True), response_headers())
    wish = HeaderMutation(set=(("x-extproc-team", b"shop"),))
    assert stage.replies == [
        Continue(REQUEST, Part.HEADERS, WHOLE + wish + ids(0), Signal(request=Guard.ALLOW)),
        Continue(
            RESPONSE,
            Part.HEADERS,
            HeaderMutation(append=(("x-extproc-a", b"b"),)) + HeaderMutation(set=ids(0).set[:1]),
        ),
    ]
    assert stage.log[0].mutations == (
        MutationFact("set", "x-extproc-team", sha256(b"shop").hexdigest()),
        MutationFact("append_later", "x-extproc-a", sha256(b"b").hexdigest()),
    )


@pytest.mark.parametrize(("allowed", "guard"), [(b"true", Guard.ALLOW), (b"false", Guard.DENY)])
def test_metadata_of_the_policy_travels_beside_the_guards_signal(allowed: bytes, guard: Guard) -> None:
    said = b'{"allowed":%b,"dynamic_metadata":{"request":"deny"}}' % allowed
    stage = Stage(engine=says(said)).play(request_headers(end=True))
    assert stage.replies[0].signal == Signal(request=guard, policy={"request": "deny"})


# ---------------------------------------------------------------- the end of the stream


def test_a_stream_that_ends_before_the_verdict_leaves_a_receipt() -> None:
    budget = MemoryBudget(100)
    stage = Stage(budget=budget).play(request_headers(), request_body(b"abc", end=False))
    stage.close()
    assert outcomes(stage.log) == [("request", "error", ("stream_ended",))]
    assert (stage.log[0].request.body_bytes, budget.current) == (3, 0)


def test_a_response_whose_body_never_came_leaves_a_receipt() -> None:
    stage = Stage().play(request_headers(end=True), response_headers())
    stage.close()
    assert outcomes(stage.log) == [("request", "allow", ()), ("response", "error", ("not_sent",))]
    assert stage.log[1].response == ResponseFacts(200, "", 0, State.NOT_SENT)


def test_an_exchange_may_be_closed_twice() -> None:
    stage = Stage().play(request_headers())
    assert (stage.close() is not None, stage.close()) == (True, None)


# ---------------------------------------------------------------- the trace


def test_the_clients_trace_is_taken_where_the_call_has_none() -> None:
    theirs = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    without = TraceContext("1" * 32, "", sampled=False)
    assert Stage(trace=without).play(request_headers(theirs, end=True)).log[0].trace == TRACE
    assert Stage(trace=without).play(request_headers(("traceparent", b"x"), end=True)).log[0].trace == without
    call = TraceContext("2" * 32, "3" * 16, sampled=False)
    assert Stage(trace=call).play(request_headers(theirs, end=True)).log[0].trace == call


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (b"application/json", b'{"jsonrpc":"2.0","id":1,"result":[%b0]}' % (b"0," * 40_000)),
        (b"application/json", b"[%b]" % b",".join([b'{"jsonrpc":"2.0","id":1,"result":0}'] * 1_001)),
        (b"application/json", b'{"query":"{a}","hits":[%b0]}' % (b"0," * 40_000)),
        (b"text/plain", b'{"jsonrpc":"2.0","id":1,"result":[%b0]}' % (b"0," * 40_000)),
        (b"application/graphql", b"type A { a: Int }" * 1_000),
    ],
)
def test_the_bounds_of_what_is_lifted_are_not_the_responses(media: bytes, body: bytes) -> None:
    """An answer is shown as it is, and held but once."""
    stage = Stage().play(request_headers(end=True), response_headers(("content-type", media)))
    assert isinstance(stage.reply(response_body(body)), Continue)
    assert [claims.outcome for claims in stage.log] == [Outcome.ALLOW] * 2
