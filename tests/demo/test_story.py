from collections.abc import Callable
from dataclasses import replace

import pytest
from demo.receipts_log import Log

from extproc.core.point import Point
from extproc.core.receipt import Outcome
from extproc.demo.proof import Evidence
from extproc.demo.story import STORY, Exchange, Expected, Observed, differences
from extproc.demo.upstream import Arrival

LEAK = Exchange("a leak", "GET", "/customers/42", Expected(403, "card_number_leak", "card number"))


@pytest.fixture
def observed(log: Log) -> Observed:
    """Exactly what LEAK expects."""
    request, response = log.exchange(Outcome.DENY, "card_number_leak")
    proofs = Evidence(log.directory, [log.span(request), log.span(response)], log.ring).proofs(response.receipt_id)
    arrival = Arrival("GET", "/customers/42", {"x-extproc-receipt-id": request.receipt_id}, b"")
    return Observed(403, "card number in the response", response.receipt_id, arrival, "embedded", proofs)


def test_what_is_as_expected_differs_in_nothing(observed: Observed) -> None:
    assert differences(LEAK, observed) == ()


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda o: replace(o, status=200), "the client got 200, expected 403"),
        (lambda o: replace(o, message="no"), "the message is 'no', expected 'card number'"),
        (lambda o: replace(o, arrival=None), "the upstream never saw it"),
        (lambda o: replace(o, engine="opa"), "decided by the engine embedded, expected opa"),
        (
            lambda o: replace(o, proofs=(o.proofs[0], replace(o.proofs[1], in_span=False))),
            "no span carries receipt 0199c2f0-0000-7000-8000-000000000002",
        ),
        (lambda o: replace(o, receipt_id="r", proofs=()), "no receipt is in the log for the answer's id 'r'"),
        (
            lambda o: replace(o, arrival=Arrival("GET", "/customers/42", {}, b"")),
            "the upstream was given receipt None, the log has 0199c2f0-0000-7000-8000-000000000001",
        ),
    ],
)
def test_one_thing_that_is_not_as_expected_is_named(
    observed: Observed, change: Callable[[Observed], Observed], difference: str
) -> None:
    assert difference in differences(LEAK, change(observed))


def test_another_request_at_the_upstream_than_was_sent_is_named(observed: Observed) -> None:
    changed = replace(LEAK, body=b"what the client sent")

    assert differences(changed, observed) == ("the upstream saw another request than was sent",)


def test_a_verdict_of_another_reason_or_phase_is_named(observed: Observed) -> None:
    expected = replace(LEAK.expected, reason="", phase=Point.REQUEST, reaches_upstream=False)

    assert differences(replace(LEAK, expected=expected), observed) == (
        "the upstream saw it",
        "decided by card_number_leak, expected allow",
        "decided at the response, expected at the request",
    )


def test_the_story_shows_what_it_has_to() -> None:
    told = {(exchange.expected.status, exchange.expected.reason) for exchange in STORY}

    assert told == {
        (200, ""),
        (201, ""),
        (403, "sql_injection"),
        (403, "card_number_leak"),
        (403, "tenant_mismatch"),
        (413, "over_limit"),
        (400, "malformed"),
        (403, "opaque_body"),
    }
    assert {exchange.content_type for exchange in STORY if exchange.expected.reason == "sql_injection"} == {
        "application/json",
        "application/x-www-form-urlencoded",
    }
