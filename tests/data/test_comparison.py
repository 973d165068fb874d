"""The comparison of test_gateway.py finds a body that was shown as less than what a backend reads."""

import base64
import hashlib
import json
from dataclasses import replace

import pytest
from data.cases import Answer, Case, typed
from data.comparison import differences
from data.driver import Reply
from data.oracle import Exchange, Receipt
from data.upstream import Arrival

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=XX"
PART = b'--XX\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n--XX--\r\n'
NOTHING: dict[str, list[object]] = {"parsed": [], "text": [], "raw": []}
JSON, XML = b'{"a":"1"}', b"<a/>"
OF_THE_XML = {"name": "a", "attributes": {}, "children": []}
FORMS, TREES = {"starlette", "werkzeug", "django"}, {"lxml", "expat"}
SOUND = [
    (FORM, b"a=1", "complete", {"parsed": [{"a": ["1"]}]}),
    (MULTIPART, PART, "complete", {"parsed": [{"a": ["1"]}]}),
    ("application/json", JSON, "complete", {"parsed": [{"a": "1"}]}),
    ("application/json", b'"1"', "complete", {"parsed": ["1"]}),
    ("application/xml", XML, "complete", {"parsed": [OF_THE_XML]}),
    ("text/plain", JSON, "complete", {"parsed": [{"a": "1"}]}),
    ("text/plain", b'"1"', "complete", {"text": ['"1"']}),
    ("text/html", XML, "complete", {"text": ["<a/>"]}),
    ("", JSON, "complete", {"parsed": [{"a": "1"}]}),
    ("", b"1", "opaque", {"raw": ["MQ=="]}),
    ("image/png", b"1", "opaque", {"raw": ["MQ=="]}),
    ("image/png", b"", "empty", {}),
]


def _opaque(body: bytes) -> dict[str, list[object]]:
    return {"raw": [base64.b64encode(body).decode()]}


def _text(body: bytes) -> dict[str, list[object]]:
    return {"text": [body.decode()]}


LESS = [
    (FORM, b"a=1", "opaque", _opaque(b"a=1"), FORMS),
    (FORM, b"a=1", "complete", _text(b"a=1"), FORMS),
    (FORM, b"a=1", "empty", {}, FORMS),
    (MULTIPART, PART, "opaque", _opaque(PART), FORMS),
    ("application/json", JSON, "opaque", _opaque(JSON), {"json"}),
    ("application/json", JSON, "complete", _text(JSON), {"json"}),
    ("application/xml", XML, "opaque", _opaque(XML), TREES),
    ("application/xml", XML, "complete", _text(XML), TREES),
    ("text/plain", JSON, "complete", _text(JSON), {"json"}),
    ("text/html", JSON, "complete", _text(JSON), {"json"}),
    ("", JSON, "opaque", _opaque(JSON), {"json"}),
    ("image/png", JSON, "opaque", _opaque(JSON), {"json"}),
    (FORM, JSON, "complete", {"parsed": [{JSON.decode(): [""]}]}, {"json"}),
    ("text/plain", b"a", "opaque", _opaque(b"a"), {"text"}),
    ("text/plain", b"a", "empty", {}, {"text"}),
    ("image/png", b"1", "empty", {}, {"bytes"}),
    ("image/png", b"1", "complete", _opaque(b"1"), {"bytes"}),
]


def _request(declared: str, body: bytes, state: str, shown: dict[str, list[object]]) -> Exchange:
    fields = [(b"host", b"gateway.test")] + [typed(declared)] * bool(declared)
    seen = {
        "state": state,
        **NOTHING,
        **shown,
        "target": "/",
        "path": [""],
        "query": {},
        "flags": [],
        "headers": {":method": ["POST"], ":path": ["/"], ":authority": ["gateway.test"], ":scheme": ["http"]}
        | {name.decode(): [value.decode()] for name, value in fields[1:]},
    }
    told = (b"x-set-seen", base64.b64encode(json.dumps(seen).encode()))
    return Exchange(
        Case("set/form", "case", b"", body),
        Reply(200),
        (Arrival(b"POST", b"/", (*fields, told), body),),
        (Receipt("r", "request", "allow", None, state, ""),),
    )


def _response(declared: str, body: bytes, state: str, shown: dict[str, list[object]]) -> Exchange:
    told = base64.b64encode(json.dumps({"state": state, **NOTHING, **shown}).encode())
    answer = Answer((typed(declared),) * bool(declared), body)
    return Exchange(
        Case("set/response", "case", b"", answer=answer),
        Reply(200, b"HTTP/1.1 200 OK\r\nx-set-seen: " + told, body),
        (),
        (Receipt("r", "response", "allow", None, state, ""),),
    )


@pytest.mark.parametrize(("declared", "body", "state", "shown"), SOUND)
def test_a_body_that_is_shown_as_each_backend_reads_it_differs_in_nothing(
    declared: str, body: bytes, state: str, shown: dict[str, list[object]]
) -> None:
    assert list(differences(_request(declared, body, state, shown))) == []
    assert list(differences(_response(declared, body, state, shown))) == []


@pytest.mark.parametrize(("declared", "body", "state", "shown", "readers"), LESS)
def test_a_body_that_is_shown_as_less_differs_from_what_each_backend_reads(
    declared: str, body: bytes, state: str, shown: dict[str, list[object]], readers: set[str]
) -> None:
    of_the_request = {reader for reader, _, _ in differences(_request(declared, body, state, shown))}
    of_the_response = {reader for reader, _, _ in differences(_response(declared, body, state, shown))}
    assert (of_the_request, of_the_response) == (readers, {f"response by {reader}" for reader in readers})


@pytest.mark.parametrize("exchange", [_request("", b"1", "opaque", _opaque(b"1")), _response("", b"", "empty", {})])
def test_a_receipt_that_names_another_state_differs(exchange: Exchange) -> None:
    (receipt,) = exchange.receipts
    wrong = replace(exchange, receipts=(replace(receipt, inspection="complete"),))
    assert [reader.removeprefix("response by ") for reader, _, _ in differences(wrong)] == ["the receipt's state"]


@pytest.mark.parametrize(
    ("shown", "found"), [({"parsed": [{"a": "1"}]}, set()), (_text(JSON), {"json, by digest"})], ids=["whole", "less"]
)
def test_a_body_too_long_for_a_header_is_compared_by_digest(shown: dict[str, list[object]], found: set[str]) -> None:
    exchange = _request("text/plain", JSON, "complete", shown)
    (arrival,) = exchange.arrivals
    seen = json.loads(base64.b64decode(arrival.value(b"x-set-seen") or b""))
    seen["headers"]["content-length"] = [str(len(JSON))]
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"))
    told = (b"x-set-seen", b"sha256:" + hashlib.sha256(text.encode()).hexdigest().encode())
    by_digest = replace(exchange, arrivals=(replace(arrival, fields=(*arrival.fields[:-1], told)),))
    assert {reader for reader, _, _ in differences(by_digest)} == found
