"""What every kind of answer to the probe means."""

import asyncio
import json

import pytest

from extproc.config import load_settings
from extproc.errors import ConfigurationError
from extproc.istio.doctor.confirm import response_half
from extproc.istio.doctor.finding import Severity
from extproc.istio.doctor.probe import HEADER, OUTCOMES, RESPONSE_UNSEEN, Answer, Probe, ask, judge, probe_of

RECEIPT_ID = "0199c2f0-0000-7000-8000-000000000000"
HTML, STREAM = {"content-type": "text/html"}, {"content-type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        (None, Answer(200, HTML | {"x-extproc-verdict": "allow"}, b"")),
        ("probe_response_uninspected", Answer(200, HTML | {"x-extproc-verdict": "none"}, b"")),
        ("probe_response_uninspected", Answer(200, HTML, b"")),
        ("probe_response_unseen", Answer(200, STREAM | {"x-extproc-verdict": "none"}, b"")),
        ("probe_response_unseen", Answer(404, HTML | {"x-extproc-verdict": "none"}, b"")),
        ("probe_response_unseen", Answer(403, HTML | {"x-extproc-verdict": "deny"}, b"")),
        ("probe_failure", Answer(503, HTML | {"x-extproc-verdict": "error"}, b"")),
        ("probe_unreachable", "no answer: TimeoutError"),
    ],
)
def test_a_harmless_answer_says_whether_responses_are_judged(
    outcome: str | None, answer: Answer | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')

    found, _ = response_half(answer, load_settings(None))
    assert (found.id if found else None) == outcome


def test_where_policy_may_leave_a_body_out_none_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_POLICY__POINTS__HEADERS", "extproc/headers/decision")

    found, _ = response_half(Answer(200, {"x-extproc-verdict": "none"}, b""), load_settings(None))
    assert found == RESPONSE_UNSEEN


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("probe_unenforced", Answer(200, {"x-extproc-verdict": "deny"}, b"")),
        ("probe_unenforced", Answer(404, {"x-extproc-verdict": "none"}, b"")),
        ("probe_failure", Answer(200, {"x-extproc-verdict": "error"}, b"")),
        ("probe_uninspected", Answer(200, {}, b"")),
        ("probe_unmarked", Answer(403, {}, b"")),
    ],
)
@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_where_nothing_is_enforced_the_verdict_shows_that_the_server_was_asked(
    outcome: str, answer: Answer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_POLICY__MODE", mode)

    assert judge(answer, load_settings(None))[0].id == outcome


def denial(**changes: object) -> Answer:
    """The server's denial as a client sees it, with these differences; None takes a header away."""
    headers = {"x-extproc-verdict": "deny", "x-extproc-receipt-id": RECEIPT_ID}
    body = {"status": 403, "code": "gateway_probe", "receipt_id": RECEIPT_ID}
    status = changes.pop("status", 403)
    content = changes.pop("body", json.dumps(body).encode())
    merged = headers | {f"x-extproc-{name.replace('_', '-')}": value for name, value in changes.items()}
    return Answer(status, {name: value for name, value in merged.items() if value is not None}, content)


@pytest.mark.parametrize(
    ("outcome", "answer"),
    [
        ("probe_denied", denial()),
        ("probe_unmarked", denial(receipt_id=None)),
        ("probe_unmarked", denial(receipt_id="1")),
        ("probe_unmarked", denial(receipt_id=RECEIPT_ID.upper())),
        ("probe_unmarked", denial(receipt_id="0199c2f0-0000-4000-8000-000000000000")),
        ("probe_unmarked", denial(receipt_id=RECEIPT_ID[:-1] + "1")),
        ("probe_unmarked", denial(body=b"Access Forbidden")),
        ("probe_unmarked", denial(body=b"[]")),
        ("probe_unmarked", denial(body=b"[" * 60_000)),
        ("probe_unmarked", denial(status=200)),
        ("probe_unmarked", denial(status=503)),
        ("probe_unmarked", denial(verdict="DENY")),
        ("probe_unmarked", denial(verdict=None)),
        ("probe_uninspected", denial(verdict=None, status=200)),
        ("probe_uninspected", denial(verdict=None, status=302)),
        ("probe_allowed", denial(verdict="allow", status=200)),
        ("probe_allowed", denial(verdict="allow", status=404)),
        ("probe_allowed", denial(verdict="none", status=200)),
        ("probe_unmarked", denial(verdict="none")),  # the request guard's, as the server let it pass
        ("probe_failure", denial(verdict="error", status=503)),
    ],
)
def test_a_status_alone_proves_nothing(outcome: str, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')

    assert judge(answer, load_settings(None))[0].id == outcome


@pytest.mark.parametrize(
    ("outcome", "receipt_id"),
    [
        ("probe_denied", RECEIPT_ID),
        ("probe_unmarked", None),
        ("probe_unmarked", "1"),
        ("probe_unmarked", "0199c2f0-0000-4000-8000-000000000000"),
    ],
)
def test_where_the_body_is_text_the_receipt_id_is_still_the_servers(
    outcome: str, receipt_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_BLOCKING__FORMAT", "text")

    assert judge(denial(body=b"No", receipt_id=receipt_id), load_settings(None))[0].id == outcome


def test_the_marks_bear_the_configured_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_HEADERS__PREFIX", "x-gate-")

    assert judge(denial(), load_settings(None))[0].id == "probe_unmarked"


def test_nobody_there_is_an_error(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    finding = asyncio.run(ask(Probe(f"http://127.0.0.1:{unused_port}/"), load_settings(None)))

    assert (finding.id, finding.severity) == ("probe_unreachable", Severity.ERROR)


@pytest.mark.parametrize("url", ["http://", "http://x:99999999/", "http://\n/"])
def test_a_url_that_is_none_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')

    assert asyncio.run(ask(Probe(url), load_settings(None))).id == "probe_unreachable"


def test_user_password_and_query_are_not_shown() -> None:
    assert Probe("https://user:secret@shop.test:8443/orders?token=secret#f").shown == "https://shop.test:8443/orders"


@pytest.mark.parametrize(
    ("headers", "body", "sent"),
    [
        ([], None, (HEADER,)),
        (["Host: shop.test"], None, (("host", "shop.test"), HEADER)),
        (["X-Attack: a:b"], None, (("x-attack", "a:b"),)),
        ([], "{}", ()),
        (["host:shop.test"], "{}", (("host", "shop.test"),)),
    ],
)
def test_the_default_header_is_sent_where_nothing_else_could_be_denied(
    headers: list[str], body: str | None, sent: tuple[tuple[str, str], ...]
) -> None:
    assert probe_of("https://shop.test/", headers, body).headers == sent


@pytest.mark.parametrize(
    ("url", "headers"),
    [("shop.test", []), ("file:///etc/passwd", []), ("http://[", []), ("https:///x", []), ("http://x", ["nothing"])],
)
def test_a_probe_that_is_none_is_refused(url: str, headers: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--probe"):
        probe_of(url, headers, None)


def test_no_two_outcomes_have_one_id() -> None:
    assert len({outcome.id for outcome in OUTCOMES}) == len(OUTCOMES)


@pytest.mark.parametrize(
    ("mode", "answer", "said"),
    [
        ("enforce", Answer(200, {"x-extproc-verdict": "allow"}, b""), "another mode than this file"),
        ("shadow", Answer(403, {"x-extproc-verdict": "deny"}, b""), "the server that runs has another one"),
    ],
)
def test_a_server_of_another_mode_than_the_files_is_named(
    mode: str, answer: Answer, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXTPROC_POLICY__PATHS", '["policies"]')
    monkeypatch.setenv("EXTPROC_POLICY__MODE", mode)

    assert said in judge(answer, load_settings(None))[0].why
