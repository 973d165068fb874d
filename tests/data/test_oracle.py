"""The oracle of test_gateway.py finds each thing that must not happen."""

import hashlib
from dataclasses import replace

import pytest
from data.cases import Case
from data.driver import CLOSED, NOTHING, Reply
from data.oracle import Exchange, Receipt, faults
from data.upstream import Arrival

BODY = b'{"a":1}'
RECEIPT = Receipt("r", "request", "allow", None, "complete", hashlib.sha256(BODY).hexdigest())
ARRIVAL = Arrival(b"POST", b"/", ((b"x-extproc-receipt-id", b"r"), (b"x-set-seen", b"e30=")), BODY)
SEEN = Exchange(Case("set/json", "case", b"POST / HTTP/1.1\r\n", BODY), Reply(200), (ARRIVAL,), (RECEIPT,))
DENIED = replace(RECEIPT, verdict="deny", status=400, inspection="malformed")
REFUSED = replace(SEEN, reply=Reply(400), arrivals=(), receipts=(DENIED,))
CUT_SHORT = replace(RECEIPT, verdict="error", inspection="not_sent")


@pytest.mark.parametrize(
    ("exchange", "outcome"),
    [
        (SEEN, "complete"),
        (REFUSED, "malformed"),
        (replace(SEEN, reply=Reply(307), arrivals=(), receipts=()), "stopped by Envoy"),
        (replace(SEEN, reply=CLOSED, arrivals=(), receipts=(CUT_SHORT,)), "stopped by Envoy"),
    ],
)
def test_a_sound_exchange_has_an_outcome_and_no_fault(exchange: Exchange, outcome: str) -> None:
    assert (exchange.outcome, list(faults(exchange))) == (outcome, [])


@pytest.mark.parametrize(
    ("exchange", "fault"),
    [
        (replace(SEEN, receipts=()), "1 requests reached the upstream, 0 were allowed"),
        (replace(REFUSED, arrivals=(ARRIVAL,)), "reached the upstream without the id of its receipt"),
        (replace(SEEN, arrivals=(replace(ARRIVAL, fields=()),)), "reached the upstream without the id of its receipt"),
        (
            replace(SEEN, arrivals=(replace(ARRIVAL, body=b"{}"),)),
            "the body that arrived is not the one of the receipt",
        ),
        (replace(SEEN, receipts=(replace(RECEIPT, inspection="malformed"),)), "reached the upstream as malformed"),
        (replace(SEEN, arrivals=(ARRIVAL, ARRIVAL)), "2 requests reached the upstream, 1 were allowed"),
        (replace(SEEN, receipts=(RECEIPT, RECEIPT)), "several receipts of one verdict: ['request', 'request']"),
        (replace(SEEN, receipts=(RECEIPT, CUT_SHORT)), "more receipts than verdicts"),
        (replace(SEEN, reply=Reply(503)), "allowed, and the client got 503"),
        (replace(REFUSED, reply=NOTHING), "no answer came"),
        (replace(REFUSED, reply=Reply(200)), "the receipt says 400, the client got 200"),
        (replace(REFUSED, reply=Reply(504)), "the gateway answered 504"),
        (replace(REFUSED, receipts=(replace(DENIED, inspection="opaque"),)), "refused as opaque"),
    ],
)
def test_what_must_not_happen_is_a_fault(exchange: Exchange, fault: str) -> None:
    assert fault in list(faults(exchange))
