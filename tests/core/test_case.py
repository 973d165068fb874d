from hashlib import sha256

import pytest
from core.stage import (
    AT_REQUEST,
    JSON_TYPE,
    REQUEST,
    RESPONSE,
    Stage,
    outcomes,
    request_body,
    request_headers,
    request_trailers,
    response_headers,
    says,
)

from extproc.core.engine import Evaluation, Question
from extproc.core.events import Continue, Guard, Headers, ImmediateResponse, Signal
from extproc.core.headers import NO_MUTATION, HeaderMap
from extproc.core.receipt import MutationFact
from extproc.core.rules import Blocking, Mode, Mutations, Rules
from extproc.errors import EngineTimeout, UndefinedDecision

DENIES = b'{"allowed":false,"http_status":429,"body":"Slow.","headers":{"x-extproc-a":"b"},"labels":{"l":"x"},'
DENIES += b'"reasons":[{"code":"one"},{"code":"two"}],"dynamic_metadata":{"m":1}}'
FACT = MutationFact("set", "x-extproc-a", sha256(b"b").hexdigest())


def test_a_denial_says_what_the_policy_says() -> None:
    stage = Stage(engine=says(DENIES)).play(request_headers(end=True))
    reply, claims = stage.replies[0], stage.log[0]
    assert isinstance(reply, ImmediateResponse)
    assert (reply.status, reply.details, ("x-extproc-a", b"b") in reply.mutation.set) == (429, "one", True)
    assert (claims.status, claims.reasons, claims.labels, claims.mutations) == (
        429,
        ("one", "two"),
        {"l": "x"},
        (FACT,),
    )


def test_in_shadow_mode_a_denial_is_recorded_and_changes_nothing() -> None:
    stage = Stage(Rules(mode=Mode.SHADOW), says(DENIES)).play(request_headers(end=True))
    reply, claims = stage.replies[0], stage.log[0]
    assert isinstance(reply, Continue)
    assert "x-extproc-a" not in dict(reply.mutation.set)
    assert reply.signal == Signal(request=Guard.ALLOW)
    assert (claims.status, claims.reasons, claims.labels, claims.mutations) == (429, ("one", "two"), {"l": "x"}, ())


def test_an_odd_status_is_told_to_the_worker() -> None:
    stage = Stage()
    stage.exchange.receive(request_headers(end=True))
    question = Question(AT_REQUEST, b"{}")
    verdict = stage.exchange.resolve(question, says(b'{"allowed":false,"http_status":302}')(question))
    assert (verdict.odd_status, verdict.claims.status) == (302, 403)


@pytest.mark.parametrize(
    ("error", "status", "outcome", "shown"),
    [
        (UndefinedDecision("x"), 409, "deny", "No."),
        (EngineTimeout("x"), 503, "error", "The request could not be decided"),
    ],
)
def test_the_client_learns_the_errors_word_and_no_more(
    error: UndefinedDecision | EngineTimeout, status: int, outcome: str, shown: str
) -> None:
    stage = Stage(Rules(blocking=Blocking(status=409, message="No.", format="text"))).play(request_headers())
    reply = stage.refused(error).replies[-1]
    assert isinstance(reply, ImmediateResponse)
    assert (reply.status, reply.body, reply.details) == (status, shown.encode(), error.code)
    assert outcomes(stage.log) == [("request", outcome, (error.code,))]


@pytest.mark.parametrize("value", [b"application/grpc", b"application/grpc+proto", b"Application/gRPC"])
def test_a_grpc_request_is_denied_as_grpc(value: bytes) -> None:
    stage = Stage(engine=says(b"false")).play(request_headers(("content-type", value)), request_body(b"\0\0\0\0\0"))
    reply = stage.replies[-1]
    assert isinstance(reply, ImmediateResponse)
    assert (reply.grpc_status, reply.body) == (7, b"Access Forbidden")


# ---------------------------------------------------------------- changes


CHANGES = b'{"allowed":true,"query_parameters_to_set":{"a":["1","2"]},"query_parameters_to_remove":["b"],'
CHANGES += b'"request_headers_to_remove":["x-extproc-gone"]}'
PATH_TOO = Rules(mutations=Mutations(path=True))


def test_a_changed_query_is_sent_upstream_and_into_the_receipt() -> None:
    stage = Stage(PATH_TOO, says(CHANGES)).play(request_headers(), request_body(b"a"))
    assert dict(stage.replies[-1].mutation.set)[":path"] == b"/a?a=1&a=2"
    assert stage.log[0].mutations == (
        MutationFact("remove", "x-extproc-gone", ""),
        MutationFact("set_query", "a", sha256(b"1\n2").hexdigest()),
        MutationFact("remove_query", "b", ""),
    )


def test_headers_cannot_be_changed_once_trailers_have_come() -> None:
    body = (request_headers(JSON_TYPE), request_body(b"{}", end=False), request_trailers())
    stage = Stage(PATH_TOO, says(CHANGES)).play(*body)
    assert outcomes(stage.log) == [("request", "error", ("mutation_refused",))]
    assert stage.log[0].policy is not None
    denied = Stage(PATH_TOO, says(DENIES)).play(*body)
    assert outcomes(denied.log) == [("request", "deny", ("one", "two"))]


def test_a_refused_change_is_claimed_by_no_receipt() -> None:
    stage = Stage(engine=says(b'{"allowed":true,"headers":{"x-user":"a"}}')).play(request_headers(end=True))
    assert (stage.log[0].mutations, stage.replies[0].status) == ((), 503)


def test_an_answer_that_is_none_is_recorded_with_the_policy_that_gave_it() -> None:
    stage = Stage(engine=says(b"null")).play(request_headers(end=True))
    assert outcomes(stage.log) == [("request", "error", ("invalid_decision",))]
    policy = stage.log[0].policy
    assert policy is not None
    assert policy.identity.revision == "r7"


def test_without_a_path_there_is_only_the_query() -> None:
    stage = Stage(PATH_TOO, says(CHANGES)).play(Headers(REQUEST, HeaderMap(), end_of_stream=True))
    assert dict(stage.replies[-1].mutation.set)[":path"] == b"a=1&a=2"


def test_a_response_points_changes_are_the_responses() -> None:
    def decide(question: Question) -> Evaluation:
        return says(b"true" if question.point is REQUEST else b'{"allowed":true,"headers":{"x-extproc-a":"b"}}')(
            question
        )

    stage = Stage(engine=decide).play(request_headers(end=True), response_headers(end=True))
    assert stage.replies[1].mutation.set[0] == ("x-extproc-a", b"b")
    assert (stage.log[1].mutations, stage.log[1].phase) == ((FACT,), RESPONSE)
    assert stage.exchange._later is NO_MUTATION  # noqa: SLF001 - nothing waits for a message that never comes
