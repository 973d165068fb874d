"""A denial with all of its facts, and the document that its receipt is."""

import json
from hashlib import sha256

import rfc8785

from extproc.core.canonical import canonical
from extproc.core.engine import PolicyIdentity
from extproc.core.events import JSON
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
    Stamp,
)
from extproc.core.rules import Mode
from extproc.core.trace import TraceContext

DIGEST = sha256(b"").hexdigest()
PARENT = "0199c2f0-0000-7000-8000-000000000001"
REQUEST = RequestFacts(
    id="7d1f2b3c-0000-4000-8000-000000000000",
    method="POST",
    authority="shop.example",
    path="/orders?card=4111",
    route="orders",
    principal="spiffe://example/alice",
    source="10.0.0.1",
    body_digest=DIGEST,
    body_bytes=12,
    inspection=State.COMPLETE,
)
POLICY = PolicyFacts(
    entrypoint="extproc/request/decision",
    identity=PolicyIdentity("embedded", "1.21.3", "r7", DIGEST, DIGEST),
    decision_id="",
    input_digest=DIGEST,
    result_digest=DIGEST,
)
DENIAL = Claims(
    phase=Point.REQUEST,
    outcome=Outcome.DENY,
    mode=Mode.ENFORCE,
    status=403,
    reasons=("card_number",),
    request=REQUEST,
    mutations=(MutationFact("set", "x-extproc-team", DIGEST),),
    labels={"team": "shop"},
    policy=POLICY,
    duration_us=40,
    trace=TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", sampled=True),
)
STAMP = Stamp(
    receipt_id="0199c2f0-0000-7000-8000-000000000002",
    issued_at="2026-01-02T03:04:05.000006Z",
    issuer=Issuer("extproc", "gateway-0", "0.1.0", "k" * 43),
    trace_id="0af7651916cd43dd8448eb211c80319c",
    span_id="00f067aa0ba902b7",
    origin="gateway-0-w0-1",
    seq=2,
    prev=DIGEST,
)


def pseudonym(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:32]


def document(claims: Claims) -> dict[str, JSON]:
    form = canonical(claims, STAMP, pseudonym)
    assert len(form) <= MAX_BYTES
    stated: dict[str, JSON] = json.loads(form)
    return stated


def digest(rows: list[list[str]]) -> str:
    return sha256(rfc8785.dumps(rows)).hexdigest()
