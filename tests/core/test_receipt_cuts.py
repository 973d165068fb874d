"""Whatever its claims hold a receipt has at most 1,900 bytes, and what had no room is cut and says so."""

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import rfc8785
from core.receipts import DENIAL, DIGEST, PARENT, POLICY, REQUEST, STAMP, digest, document, pseudonym
from hypothesis import given, settings
from hypothesis import strategies as st

from extproc.core.canonical import canonical
from extproc.core.engine import PolicyIdentity
from extproc.core.inspection import State
from extproc.core.point import Point
from extproc.core.receipt import (
    MAX_BYTES,
    Claims,
    Issuer,
    MutationFact,
    Outcome,
    PolicyFacts,
    RequestFacts,
    ResponseFacts,
    Stamp,
)
from extproc.core.rules import Mode
from extproc.core.trace import TraceContext


def test_more_than_eight_reasons_become_eight_and_a_digest() -> None:
    reasons = tuple(f"rule_{number}" for number in range(9))
    decision = document(replace(DENIAL, reasons=reasons, mutations=(), labels={}))["decision"]
    assert decision == {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "reasons": [*reasons[:8]],
        "reasons_digest": digest([[reason] for reason in reasons]),
    }


def test_a_reason_past_64_bytes_is_cut_and_marked() -> None:
    reason = "r" * 65
    decision = document(replace(DENIAL, reasons=(reason,), mutations=(), labels={}))["decision"]
    mark = sha256(reason.encode()).hexdigest()[:16]
    assert decision == {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "reasons": ["r" * 47 + "~" + mark],
        "reasons_digest": digest([[reason]]),
    }


def test_more_than_four_labels_become_four_and_a_digest() -> None:
    labels = {f"label{number}": "x" for number in range(5)}
    decision = document(replace(DENIAL, labels=labels, mutations=()))["decision"]
    assert decision == {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "reasons": ["card_number"],
        "labels": {f"label{number}": "x" for number in range(4)},
        "labels_digest": digest([[name, "x"] for name in labels]),
    }


def test_a_label_name_is_escaped_to_ascii() -> None:
    decision = document(replace(DENIAL, labels={"té": "ü"}, mutations=(), reasons=()))["decision"]
    assert decision == {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "labels": {"t\\xe9": "ü"},
        "labels_digest": digest([["té", "ü"]]),
    }


def test_a_large_response_receipt_leaves_to_its_parent_what_that_states() -> None:
    claims = replace(
        DENIAL,
        phase=Point.RESPONSE,
        response=ResponseFacts(200, DIGEST, 5, State.COMPLETE),
        parent_receipt=PARENT,
        mutations=DENIAL.mutations * 3,
    )
    stated = document(claims)
    assert stated["request"] == {
        "id": REQUEST.id,
        "method": "POST",
        "authority": "shop.example",
        "route": "orders",
    }
    assert stated["decision"] == {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "reasons": ["card_number"],
        "labels": {"team": "shop"},
        "mutations": [{"op": "set", "name": "x-extproc-team", "digest": DIGEST}] * 3,
    }


def test_many_mutations_become_a_digest() -> None:
    mutations = tuple(MutationFact("append", f"x-extproc-{number}", DIGEST) for number in range(12))
    decision = document(replace(DENIAL, mutations=mutations))["decision"]
    assert decision == {
        "verdict": "deny",
        "enforcement": "enforced",
        "status": 403,
        "reasons": ["card_number"],
        "labels_digest": digest([["team", "shop"]]),
        "mutations_digest": digest([["append", f"x-extproc-{number}", DIGEST] for number in range(12)]),
    }


def test_a_receipt_that_no_cut_makes_fit_states_the_digest_of_the_uncut_document() -> None:
    text = "x" * 10_000
    claims = replace(
        DENIAL,
        request=replace(REQUEST, id=text, method=text, authority=text, route=text),
        response=ResponseFacts(2**60, DIGEST, 2**60, State.TYPE_MISMATCH),
        reasons=(text,) * 100,
        labels={"a": text, "b": text},
        policy=replace(POLICY, entrypoint=text, decision_id=text),
    )
    stated = document(claims)
    mark = "~" + sha256(text.encode()).hexdigest()[:16]
    assert stated["decision"] == {"verdict": "deny", "enforcement": "enforced", "status": 403}
    assert stated["request"] == {
        "id": "x" * 23 + mark,
        "path_hmac": pseudonym(REQUEST.path),
        "principal_hmac": pseudonym(REQUEST.principal),
        "source_hmac": pseudonym(REQUEST.source),
        "body_digest": DIGEST,
        "body_bytes": 12,
        "inspection": "complete",
    }
    assert len(str(stated["cut_digest"])) == 64


def test_a_cut_text_fits_also_where_json_escapes_it() -> None:
    text = "\x01" * 3000
    stated = document(replace(DENIAL, request=replace(REQUEST, authority=text)))
    mark = "~" + sha256(text.encode()).hexdigest()[:16]
    assert stated["request"]["authority"] == "\x01" * 13 + mark  # type: ignore[index,call-overload]  # an object


texts = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=40),  # lone surrogates too
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=5), st.integers(0, 2_500)),
)
naturals = st.integers(0, 2**70)
requests = st.builds(
    RequestFacts,
    **dict.fromkeys(("id", "method", "authority", "path", "route", "principal", "source", "body_digest"), texts),
    body_bytes=naturals,
    inspection=st.sampled_from(State),
)
claims_of_any_kind = st.builds(
    Claims,
    phase=st.sampled_from(Point),
    outcome=st.sampled_from(Outcome),
    mode=st.sampled_from(Mode),
    status=st.none() | naturals,
    reasons=st.lists(texts, max_size=100).map(tuple),
    request=requests,
    response=st.none() | st.builds(ResponseFacts, naturals, texts, naturals, st.sampled_from(State)),
    mutations=st.lists(st.builds(MutationFact, texts, texts, texts), max_size=30).map(tuple),
    labels=st.dictionaries(texts, texts, max_size=12),
    policy=st.none()
    | st.builds(PolicyFacts, texts, st.builds(PolicyIdentity, texts, texts, texts, texts, texts), texts, texts, texts),
    duration_us=naturals,
    parent_receipt=st.none() | texts,
    trace=st.none() | st.builds(TraceContext, texts, texts, st.booleans()),
)
stamps = st.builds(
    Stamp,
    receipt_id=st.just(STAMP.receipt_id),
    issued_at=st.just(STAMP.issued_at),
    issuer=st.builds(Issuer, texts, texts, texts, st.just("k" * 43)),
    trace_id=st.just(STAMP.trace_id),
    span_id=st.just(STAMP.span_id),
    origin=texts,
    seq=naturals,
    prev=st.just(DIGEST),
)


@settings(max_examples=100, deadline=timedelta(seconds=5))
@given(claims_of_any_kind, stamps, st.sampled_from([pseudonym, lambda name: name]))
def test_a_receipt_is_small_and_canonical_whatever_its_claims_hold(claims: Claims, stamp: Stamp, hide: object) -> None:
    form = canonical(claims, stamp, hide)  # type: ignore[arg-type]  # both are pseudonyms
    assert len(form) <= MAX_BYTES
    assert rfc8785.dumps(json.loads(form)) == form


def test_the_largest_receipt_fits() -> None:
    """Every member there is, each at its greatest length and none of them short enough for an earlier step."""
    long, large = "x" * 10_000, 2**70
    claims = Claims(
        phase=Point.RESPONSE,
        outcome=Outcome.ALLOW,
        mode=Mode.ENFORCE,
        status=large,
        reasons=(long,) * 100,
        request=RequestFacts(long, long, long, long, long, long, long, long, large, State.TYPE_MISMATCH),
        response=ResponseFacts(large, long, large, State.TYPE_MISMATCH),
        mutations=(MutationFact(long, long, long),) * 100,
        labels={f"{long}{number}": long for number in range(5)},
        policy=PolicyFacts(long, PolicyIdentity(long, long, long, long, long), long, long, long),
        duration_us=large,
        trace=TraceContext(long, long, sampled=True),
    )
    stamp = replace(STAMP, issuer=Issuer(long, long, long, "k" * 43), origin=long, seq=large)
    for parent in (None, long):
        form = canonical(replace(claims, parent_receipt=parent), stamp, lambda name: name)
        assert len(form) <= MAX_BYTES
        assert rfc8785.dumps(json.loads(form)) == form
