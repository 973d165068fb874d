import json

import pytest
from core.stage import AT_REQUEST, AT_RESPONSE, POLICY, REQUEST, RESPONSE, receipt

from extproc.core.answer import Denial, Passage, Turn, Unrecorded, Verdict, reply_to
from extproc.core.events import Continue, Guard, ImmediateResponse, Part, Signal, Waiver
from extproc.core.headers import HeaderMutation
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Outcome, PolicyFacts, RequestFacts
from extproc.core.rules import Blocking, Mode

NOTHING = RequestFacts("", "", "", "", "", "", "", "", 0, State.NOT_SENT)
ASKED = PolicyFacts("a/b", POLICY, "", "", "")
AT_BODY = Turn(REQUEST, Part.BODY)
DENIAL = Denial(403, "No, no.", "card_number", HeaderMutation(set=(("x-a", b"b"),)))
OWN = (("content-type", b"application/problem+json"), ("cache-control", b"no-store"))


def _claims(phase: Point, outcome: Outcome, *, asked: bool = True) -> Claims:
    return Claims(phase, outcome, Mode.ENFORCE, None, (), NOTHING, policy=ASKED if asked else None)


def _reply(verdict: Verdict, *, recorded: bool = True, blocking: Blocking = Blocking()) -> Continue | ImmediateResponse:
    return reply_to(verdict, receipt(7) if recorded else Unrecorded(), blocking=blocking, prefix="x-ours-")


def test_a_passage_carries_ids_changes_and_the_guards_signal() -> None:
    wish = HeaderMutation(remove=("x-ours-forged",))
    passage = Passage(wish, response=Guard.WAIVED, waiver=Waiver.BOTH)
    verdict = Verdict(_claims(AT_REQUEST, Outcome.ALLOW), Turn(REQUEST, Part.HEADERS), passage, metadata={"a": 1})
    ids = (("x-ours-receipt-id", b"receipt-7"), ("x-ours-verdict", b"allow"), ("x-ours-policy-hash", b"d1"))
    assert _reply(verdict) == Continue(
        REQUEST,
        Part.HEADERS,
        HeaderMutation(set=ids, remove=("x-ours-forged",)),
        Signal(request=Guard.ALLOW, response=Guard.WAIVED, policy={"a": 1}),
        waiver=Waiver.BOTH,
    )


@pytest.mark.parametrize(("waived", "guard"), [(None, Guard.ALLOW), (Guard.WAIVED, Guard.WAIVED)])
def test_a_response_is_allowed_or_waived(waived: Guard | None, guard: Guard) -> None:
    verdict = Verdict(_claims(AT_RESPONSE, Outcome.ALLOW), Turn(RESPONSE, Part.BODY), Passage(response=waived))
    assert _reply(verdict).signal == Signal(response=guard)


def test_ids_name_only_what_there_is() -> None:
    verdict = Verdict(_claims(AT_REQUEST, Outcome.ERROR, asked=False), AT_BODY, Passage())
    assert _reply(verdict, recorded=False).mutation == HeaderMutation(set=(("x-ours-verdict", b"error"),))


def test_a_local_reply_passes_without_a_verdict_of_its_own() -> None:
    verdict = Verdict(_claims(AT_REQUEST, Outcome.ERROR, asked=False), Turn(RESPONSE, Part.HEADERS), Passage())
    assert dict(_reply(verdict).mutation.set)["x-ours-verdict"] == b"none"


def test_a_denial_is_a_problem_document_with_the_receipts_id() -> None:
    reply = _reply(Verdict(_claims(AT_REQUEST, Outcome.DENY), AT_BODY, DENIAL))
    ids = (("x-ours-receipt-id", b"receipt-7"), ("x-ours-verdict", b"deny"), ("x-ours-policy-hash", b"d1"))
    problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "No, no.", "code": "card_number"}
    assert reply == ImmediateResponse(
        status=403,
        mutation=HeaderMutation(set=(*OWN, ("x-a", b"b"), *ids)),
        body=json.dumps(problem | {"receipt_id": "receipt-7"}, separators=(",", ":")).encode(),
        details="card_number",
        signal=Signal(request=Guard.DENY),
    )


def test_a_denial_without_a_receipt_names_none() -> None:
    reply = _reply(Verdict(_claims(AT_RESPONSE, Outcome.DENY), AT_BODY, DENIAL), recorded=False)
    assert isinstance(reply, ImmediateResponse)
    assert "receipt_id" not in json.loads(reply.body)
    assert reply.signal == Signal(response=Guard.DENY)


def test_a_status_without_a_phrase_is_a_client_error() -> None:
    reply = _reply(Verdict(_claims(AT_REQUEST, Outcome.DENY), AT_BODY, Denial(499, "", "a")))
    assert isinstance(reply, ImmediateResponse)
    assert json.loads(reply.body)["title"] == "Client Error"


def test_a_denial_is_text_where_the_operator_wants_text() -> None:
    reply = _reply(Verdict(_claims(AT_REQUEST, Outcome.DENY), AT_BODY, DENIAL), blocking=Blocking(format="text"))
    assert isinstance(reply, ImmediateResponse)
    assert (reply.mutation.set[0], reply.body) == (("content-type", b"text/plain; charset=utf-8"), b"No, no.")


@pytest.mark.parametrize(
    ("status", "grpc"), [(401, 16), (403, 7), (413, 8), (429, 8), (503, 14), (400, 3), (404, 3), (451, 3)]
)
def test_a_grpc_client_gets_a_grpc_status_and_a_plain_message(status: int, grpc: int) -> None:
    reply = _reply(Verdict(_claims(AT_REQUEST, Outcome.DENY), AT_BODY, Denial(status, "é", "a", grpc=True)))
    assert isinstance(reply, ImmediateResponse)
    assert (reply.grpc_status, reply.body, reply.mutation.set[0][1]) == (
        grpc,
        "é".encode(),
        b"text/plain; charset=utf-8",
    )
