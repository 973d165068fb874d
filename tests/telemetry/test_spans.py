from base64 import b64encode
from collections.abc import Callable

import orjson
import pytest

from extproc.core.events import JSON
from extproc.telemetry.otlp_messages import AnyValue, ArrayValue, KeyValue, Resource, Span, Status
from extproc.telemetry.spans import Producer, ReceiptSpan, SpanContext, receipt_span, resource_of

SIGNATURE = bytes(range(64))
ISSUED_NS = 1_767_323_045_678_901_000

Canonical = Callable[[JSON], bytes]


def build(payload: bytes, earlier: dict[str, SpanContext] | None = None) -> ReceiptSpan:
    return receipt_span(payload, SIGNATURE, "thumbprint", earlier or {})


def attributes(span: Span) -> dict[str, JSON]:
    def plain(value: AnyValue) -> JSON:
        if value.HasField("array_value"):
            return [plain(item) for item in value.array_value.values]
        return value.string_value if value.HasField("string_value") else value.int_value

    return {attribute.key: plain(attribute.value) for attribute in span.attributes}


def test_a_denial_becomes_exactly_this_span(document: dict[str, JSON], canonical: Canonical) -> None:
    payload = canonical(document)

    def text(key: str, value: str) -> KeyValue:
        return KeyValue(key=key, value=AnyValue(string_value=value))

    def texts(key: str, *values: str) -> KeyValue:
        items = [AnyValue(string_value=value) for value in values]
        return KeyValue(key=key, value=AnyValue(array_value=ArrayValue(values=items)))

    def number(key: str, value: int) -> KeyValue:
        return KeyValue(key=key, value=AnyValue(int_value=value))

    expected = Span(
        trace_id=b"\x0a" * 16,
        span_id=b"\x0b" * 8,
        parent_span_id=b"\x0c" * 8,
        flags=0x300,
        name="policy.decision",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=ISSUED_NS - 250_000,
        end_time_unix_nano=ISSUED_NS,
        attributes=[
            text("http.request.method", "POST"),
            number("http.response.status_code", 403),
            text("server.address", "shop.example"),
            text("user.hash", "02" * 32),
            text("security_rule.ruleset.name", "extproc/request/decision"),
            text("security_rule.version", "r42"),
            text("extproc.decision.verdict", "deny"),
            texts("extproc.decision.reasons", "sql_injection", "no_owner"),
            text("extproc.decision.enforcement", "enforced"),
            text("extproc.policy.engine", "embedded"),
            text("extproc.policy.revision", "r42"),
            text("extproc.policy.digest", "06" * 32),
            text("extproc.policy.data_digest", "07" * 32),
            text("extproc.policy.decision_id", "d-1"),
            text("extproc.policy.input_digest", "08" * 32),
            text("extproc.policy.result_digest", "09" * 32),
            text("extproc.receipt.log", "gw-0/1"),
            number("extproc.receipt.seq", 7),
            text("extproc.decision.phase", "request"),
            texts("extproc.decision.mutations", "set x-extproc-verdict"),
            number("extproc.decision.eval_us", 250),
            text("security_rule.name", "sql_injection"),
            text("extproc.receipt.id", "0199b4a0-0000-7000-8000-000000000001"),
            text("extproc.receipt.kind", "decision"),
            text("extproc.receipt.payload", payload.decode()),
            text("extproc.receipt.signature", b64encode(SIGNATURE).decode()),
            text("extproc.receipt.key_id", "thumbprint"),
        ],
    )
    assert build(payload) == ReceiptSpan(
        expected,
        SpanContext(b"\x0a" * 16, b"\x0b" * 8),
        Producer("extproc", "gw-0", "0.1.0"),
        "0199b4a0-0000-7000-8000-000000000001",
    )


def test_an_error_verdict_is_the_only_one_that_sets_the_status(document: dict[str, JSON], canonical: Canonical) -> None:
    document["decision"] = {"verdict": "error", "enforcement": "enforced", "status": 503, "reasons": ["engine_timeout"]}
    span = build(canonical(document)).span
    assert (span.status, attributes(span)["error.type"]) == (
        Status(code=Status.STATUS_CODE_ERROR),
        "engine_timeout",
    )


def test_an_allow_has_no_status_and_no_error_type(document: dict[str, JSON], canonical: Canonical) -> None:
    document["decision"] = {"verdict": "allow", "enforcement": "enforced", "status": None, "reasons": []}
    span = build(canonical(document)).span
    names = attributes(span).keys()
    assert (span.status, {"error.type", "security_rule.name", "http.response.status_code"} & names) == (Status(), set())


def test_the_response_span_links_to_the_request_span_that_is_known(
    document: dict[str, JSON], canonical: Canonical
) -> None:
    document |= {"phase": "response", "parent_receipt": "request-receipt"}
    earlier = {"request-receipt": SpanContext(b"\x0a" * 16, b"\x0d" * 8)}
    span = build(canonical(document), earlier).span
    assert list(span.links) == [Span.Link(trace_id=b"\x0a" * 16, span_id=b"\x0d" * 8)]


def test_a_response_span_without_its_request_span_has_no_link(document: dict[str, JSON], canonical: Canonical) -> None:
    document |= {"phase": "response", "parent_receipt": "forgotten"}
    assert not build(canonical(document)).span.links


def test_the_response_phase_carries_the_upstreams_status_unless_the_client_got_another(
    document: dict[str, JSON], canonical: Canonical
) -> None:
    document |= {"response": {"status": 200}, "decision": {"verdict": "allow", "status": None}}
    passed = attributes(build(canonical(document)).span)["http.response.status_code"]
    document["decision"] = {"verdict": "deny", "status": 451}
    blocked = attributes(build(canonical(document)).span)["http.response.status_code"]
    assert (passed, blocked) == (200, 451)


def test_a_receipt_without_a_decision_is_a_span_named_by_its_kind(
    document: dict[str, JSON], canonical: Canonical
) -> None:
    for section in ("request", "decision", "policy", "phase", "eval_us"):
        del document[section]
    document |= {"kind": "log.start", "trace": {"trace_id": "0a" * 16, "span_id": "0b" * 8, "parent_span_id": ""}}
    payload = canonical(document)
    span = build(payload).span
    assert (span.name, span.flags, span.parent_span_id, span.start_time_unix_nano, attributes(span)) == (
        "policy.log.start",
        0x100,
        b"",
        ISSUED_NS,
        {
            "extproc.receipt.log": "gw-0/1",
            "extproc.receipt.seq": 7,
            "extproc.receipt.id": "0199b4a0-0000-7000-8000-000000000001",
            "extproc.receipt.kind": "log.start",
            "extproc.receipt.payload": payload.decode(),
            "extproc.receipt.signature": b64encode(SIGNATURE).decode(),
            "extproc.receipt.key_id": "thumbprint",
        },
    )


def test_the_first_receipt_of_a_log_keeps_its_sequence_number_zero(
    document: dict[str, JSON], canonical: Canonical
) -> None:
    document["log"] = {"origin": "gw-0/1", "seq": 0, "prev": ""}
    assert attributes(build(canonical(document)).span)["extproc.receipt.seq"] == 0


def test_an_unknown_method_is_other(document: dict[str, JSON], canonical: Canonical) -> None:
    document["request"] = {"method": "BREW"}
    assert attributes(build(canonical(document)).span)["http.request.method"] == "_OTHER"


@pytest.mark.parametrize(
    ("authority", "host"),
    [("shop.example", "shop.example"), ("[2001:db8::1]:443", "[2001:db8::1]"), ("[2001:db8::1]", "[2001:db8::1]")],
)
def test_the_server_address_has_no_port(
    document: dict[str, JSON], canonical: Canonical, authority: str, host: str
) -> None:
    document["request"] = {"authority": authority}
    assert attributes(build(canonical(document)).span)["server.address"] == host


def test_the_payload_attribute_is_the_signed_text_even_where_its_order_is_not_ours(
    document: dict[str, JSON],
) -> None:
    payload = orjson.dumps(dict(reversed(document.items())))
    assert attributes(build(payload).span)["extproc.receipt.payload"] == payload.decode()


def test_a_duration_longer_than_time_itself_starts_at_the_epoch(
    document: dict[str, JSON], canonical: Canonical
) -> None:
    document["eval_us"] = 2**53 - 1
    assert build(canonical(document)).span.start_time_unix_nano == 0


def test_the_resource_names_the_service_that_signed() -> None:
    assert resource_of(Producer("extproc", "gw-0", "0.1.0")) == Resource(
        attributes=[
            KeyValue(key="service.name", value=AnyValue(string_value="extproc")),
            KeyValue(key="service.instance.id", value=AnyValue(string_value="gw-0")),
            KeyValue(key="service.version", value=AnyValue(string_value="0.1.0")),
        ]
    )
