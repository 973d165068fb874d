"""What a receipt states, and what it never states, where there is room for all of it."""

import json
from dataclasses import replace

from core.receipts import DENIAL, DIGEST, PARENT, REQUEST, STAMP, document, pseudonym

from extproc.core.canonical import canonical
from extproc.core.events import Direction
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import Claims, Outcome, RequestFacts, ResponseFacts
from extproc.core.rules import Mode


def test_a_receipt_states_the_whole_verdict() -> None:
    assert document(DENIAL) == {
        "v": 1,
        "type": "extproc.receipt",
        "kind": "decision",
        "receipt_id": STAMP.receipt_id,
        "issued_at": "2026-01-02T03:04:05.000006Z",
        "phase": "request",
        "issuer": {"service": "extproc", "instance": "gateway-0", "version": "0.1.0", "kid": "k" * 43},
        "log": {"origin": "gateway-0-w0-1", "seq": 2, "prev": DIGEST},
        "trace": {
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "span_id": "00f067aa0ba902b7",
            "parent_span_id": "b7ad6b7169203331",
        },
        "request": {
            "id": "7d1f2b3c-0000-4000-8000-000000000000",
            "method": "POST",
            "authority": "shop.example",
            "path_hmac": pseudonym("/orders?card=4111"),
            "route": "orders",
            "principal_hmac": pseudonym("spiffe://example/alice"),
            "source_hmac": pseudonym("10.0.0.1"),
            "body_digest": DIGEST,
            "body_bytes": 12,
            "inspection": "complete",
        },
        "decision": {
            "verdict": "deny",
            "enforcement": "enforced",
            "status": 403,
            "reasons": ["card_number"],
            "labels": {"team": "shop"},
            "mutations": [{"op": "set", "name": "x-extproc-team", "digest": DIGEST}],
        },
        "policy": {
            "engine": "embedded",
            "engine_version": "1.21.3",
            "entrypoint": "extproc/request/decision",
            "revision": "r7",
            "policy_digest": DIGEST,
            "data_digest": DIGEST,
            "input_digest": DIGEST,
            "result_digest": DIGEST,
        },
        "eval_us": 40,
    }


def test_what_is_absent_is_left_out() -> None:
    nothing = RequestFacts("", "", "", "", "", "", "", "", 0, State.NOT_SENT)
    claims = Claims(Point.REQUEST, Outcome.ERROR, Mode.OFF, None, (), nothing)
    stamp = replace(STAMP, seq=0, prev="")
    assert json.loads(canonical(claims, stamp, pseudonym)) == {
        "v": 1,
        "type": "extproc.receipt",
        "kind": "decision",
        "receipt_id": STAMP.receipt_id,
        "issued_at": "2026-01-02T03:04:05.000006Z",
        "phase": "request",
        "issuer": {"service": "extproc", "instance": "gateway-0", "version": "0.1.0", "kid": "k" * 43},
        "log": {"origin": "gateway-0-w0-1", "seq": 0, "prev": ""},
        "trace": {"trace_id": STAMP.trace_id, "span_id": STAMP.span_id},
        "request": {"body_bytes": 0, "inspection": "not_sent"},
        "decision": {"verdict": "error", "enforcement": "off"},
        "eval_us": 0,
    }


def test_a_response_receipt_names_its_parent() -> None:
    response = ResponseFacts(200, DIGEST, 5, State.COMPLETE)
    claims = Claims(
        Point.RESPONSE, Outcome.ALLOW, Mode.SHADOW, None, (), REQUEST, response=response, parent_receipt=PARENT
    )
    stated = document(claims)
    assert (stated["parent_receipt"], stated["phase"]) == (PARENT, "response")
    assert stated["response"] == {"status": 200, "body_digest": DIGEST, "body_bytes": 5, "inspection": "complete"}
    assert stated["decision"] == {"verdict": "allow", "enforcement": "shadow"}


def test_names_that_could_identify_a_person_are_never_plain() -> None:
    form = canonical(DENIAL, STAMP, pseudonym)
    assert not [name for name in (b"4111", b"alice", b"10.0.0.1") if name in form]


def test_waived_bodies_are_named_in_a_fixed_order() -> None:
    stated = document(replace(DENIAL, phase=Point.HEADERS, waives=frozenset(Direction)))
    assert (stated["phase"], stated["decision"]["waives"]) == ("headers", ["request", "response"])
