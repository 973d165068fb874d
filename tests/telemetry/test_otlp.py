from base64 import b64decode
from pathlib import Path

import pytest

from extproc.demo.collector import Collector, Conduct, PartialSuccess
from extproc.errors import ConfigurationError
from extproc.telemetry.otlp import (
    ExportError,
    ExportRejected,
    OtlpExporter,
    OtlpSettings,
    settings_from_env,
)
from extproc.telemetry.otlp_messages import (
    AnyValue,
    ArrayValue,
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
    InstrumentationScope,
    KeyValue,
    Resource,
    ResourceSpans,
    ScopeSpans,
    Span,
    Status,
)
from extproc.telemetry.spans import SCHEMA_URL

REFERENCE_REQUEST = b64decode(
    "CvICChsKGQoMc2VydmljZS5uYW1lEgkKB2V4dHByb2MSqQIKEgoQZXh0cHJvYy5yZWNlaXB0cxLpAQoQCgoKCgoKCgoKCgoKCgoK"
    "ChIICwsLCwsLCwsiCAwMDAwMDAwMKg9wb2xpY3kuZGVjaXNpb24wATl4lglF8sqGGEEIZw1F8sqGGEojChhleHRwcm9jLmRlY2lz"
    "aW9uLnZlcmRpY3QSBwoFZXJyb3JKKAoYZXh0cHJvYy5kZWNpc2lvbi5yZWFzb25zEgwqCgoDCgFhCgMKAWJKGQoTZXh0cHJvYy5y"
    "ZWNlaXB0LnNlcRICGABKCgoEZmxhZxICEAFqHAoQCgoKCgoKCgoKCgoKCgoKChIIDQ0NDQ0NDQ16AhgChQEAAwAAGidodHRwczov"
    "L29wZW50ZWxlbWV0cnkuaW8vc2NoZW1hcy8xLjM3LjAaJ2h0dHBzOi8vb3BlbnRlbGVtZXRyeS5pby9zY2hlbWFzLzEuMzcuMA=="
)
REFERENCE_RESPONSE = b64decode("CgkIAxIFcXVvdGE=")
"""Written by opentelemetry-proto 1.45.2 in an environment without xds-protos (see extproc/telemetry/otlp_schema.py)."""

CONFIGURED = "http://127.0.0.1:4317"


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


RESOURCE = Resource(attributes=[text("service.name", "extproc")])
SPAN = Span(
    trace_id=b"\x0a" * 16,
    span_id=b"\x0b" * 8,
    parent_span_id=b"\x0c" * 8,
    flags=0x300,
    name="policy.decision",
    kind=Span.SPAN_KIND_INTERNAL,
    start_time_unix_nano=1_767_323_045_678_651_000,
    end_time_unix_nano=1_767_323_045_678_901_000,
    attributes=[
        text("extproc.decision.verdict", "error"),
        KeyValue(
            key="extproc.decision.reasons",
            value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a"), AnyValue(string_value="b")])),
        ),
        KeyValue(key="extproc.receipt.seq", value=AnyValue(int_value=0)),
        KeyValue(key="flag", value=AnyValue(bool_value=True)),
    ],
    links=[Span.Link(trace_id=b"\x0a" * 16, span_id=b"\x0d" * 8)],
    status=Status(code=Status.STATUS_CODE_ERROR),
)
SENT = ResourceSpans(
    resource=RESOURCE,
    scope_spans=[ScopeSpans(scope=InstrumentationScope(name="extproc.receipts"), spans=[SPAN], schema_url=SCHEMA_URL)],
    schema_url=SCHEMA_URL,
)


def test_a_request_has_the_bytes_that_the_reference_implementation_writes() -> None:
    assert ExportTraceServiceRequest(resource_spans=[SENT]).SerializeToString() == REFERENCE_REQUEST


def test_a_partial_success_of_the_reference_implementation_is_read() -> None:
    assert ExportTraceServiceResponse.FromString(REFERENCE_RESPONSE) == ExportTraceServiceResponse(
        partial_success=ExportTracePartialSuccess(rejected_spans=3, error_message="quota")
    )


def test_a_batch_arrives_as_it_was_sent_with_the_configured_headers(receiver: Collector) -> None:
    exporter = OtlpExporter(OtlpSettings(receiver.endpoint, headers=(("authorization", "Bearer t"),)))
    exporter.export(RESOURCE, [SPAN])
    exporter.close()
    assert (receiver.received(), receiver.metadata()[0]["authorization"]) == ((SENT,), "Bearer t")


def test_a_refused_batch_is_an_error_with_the_status_and_the_reason(receiver: Collector) -> None:
    receiver.conduct = Conduct.REFUSE
    exporter = OtlpExporter(OtlpSettings(receiver.endpoint))
    with pytest.raises(ExportError, match="UNAVAILABLE: told to refuse") as raised:
        exporter.export(RESOURCE, [SPAN])
    exporter.close()
    assert (raised.value.code, raised.value.status, receiver.spans()) == ("export", "UNAVAILABLE", ())


def test_a_collector_that_is_not_there_is_an_error_and_no_reason_not_to_start() -> None:
    gone = Collector()
    gone.stop()
    exporter = OtlpExporter(OtlpSettings(gone.endpoint))
    with pytest.raises(ExportError) as raised:
        exporter.export(RESOURCE, [SPAN])
    exporter.close()
    assert raised.value.status == "UNAVAILABLE"


def test_a_collector_that_never_answers_costs_the_timeout_and_the_next_batch_arrives(receiver: Collector) -> None:
    receiver.conduct = Conduct.BLACKHOLE
    exporter = OtlpExporter(OtlpSettings(receiver.endpoint))
    with pytest.raises(ExportError) as raised:
        exporter.export(RESOURCE, [SPAN], timeout_s=0.05)
    receiver.conduct = Conduct.ACCEPT
    exporter.export(RESOURCE, [SPAN])
    exporter.close()
    assert (raised.value.status, receiver.received()) == ("DEADLINE_EXCEEDED", (SENT,))


def test_after_silence_the_next_batch_goes_over_a_new_connection(receiver: Collector) -> None:
    exporter = OtlpExporter(OtlpSettings(receiver.endpoint))
    exporter.export(RESOURCE, [SPAN])
    exporter.export(RESOURCE, [SPAN])
    receiver.conduct = Conduct.BLACKHOLE
    with pytest.raises(ExportError):
        exporter.export(RESOURCE, [SPAN], timeout_s=0.05)
    receiver.conduct = Conduct.ACCEPT
    exporter.export(RESOURCE, [SPAN])
    exporter.close()
    first, second, silent, after = receiver.peers()
    assert (first == second == silent, after == silent) == (True, False)


def test_a_partial_success_is_shown_with_the_number_and_the_collectors_message(receiver: Collector) -> None:
    receiver.conduct = PartialSuccess(1, "attribute too long")
    exporter = OtlpExporter(OtlpSettings(receiver.endpoint))
    with pytest.raises(ExportRejected, match="refused 1 spans: attribute too long") as raised:
        exporter.export(RESOURCE, [SPAN, SPAN])
    exporter.close()
    assert (raised.value.code, raised.value.rejected, receiver.spans()) == ("export_rejected", 1, (SPAN,))


def test_the_configured_endpoint_holds_where_no_variable_is_set() -> None:
    assert settings_from_env({}, CONFIGURED) == OtlpSettings(CONFIGURED)


def test_a_variable_for_traces_wins_over_the_general_one_which_wins_over_the_file() -> None:
    environ = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://general:4317",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://traces:443",
        "OTEL_EXPORTER_OTLP_HEADERS": "Authorization=Basic%20dTpw, tenant = a=b ,",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/etc/ca.pem",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
    }
    assert settings_from_env(environ, CONFIGURED) == OtlpSettings(
        endpoint="https://traces:443",
        headers=(("authorization", "Basic dTpw"), ("tenant", "a=b")),
        timeout_s=2.5,
        certificate=Path("/etc/ca.pem"),
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "unix:///run/otlp.sock"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,c"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        settings_from_env({name: value}, CONFIGURED)


def test_a_wrong_header_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings_from_env({"OTEL_EXPORTER_OTLP_HEADERS": "s3cret"}, CONFIGURED)
    assert "s3cret" not in str(raised.value)


def test_a_wrong_configured_endpoint_is_named_by_its_key() -> None:
    with pytest.raises(ConfigurationError, match=r"telemetry\.otlp\.endpoint"):
        settings_from_env({}, "127.0.0.1:4317")


def test_a_certificate_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        OtlpExporter(OtlpSettings("https://[::1]:4317", certificate=tmp_path / "missing.pem"))
