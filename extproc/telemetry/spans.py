"""One signed receipt becomes one span, value to value.

The ids come from the signed document, so a receipt that is delivered twice is one span twice; only the link to
the request's span may be missing from one of them, where the shipper was started anew in between.  The span carries the
exact signed text, its signature and the key id: alone it is enough to verify the receipt offline.

Names: OpenTelemetry semantic conventions 1.37.0 (`http.*`, `server.*`, `user.*`, `error.*`, `security_rule.*`); ours
are `extproc.*`, and docs/receipts.md lists them.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import orjson

from extproc.core.events import JSON
from extproc.core.receipt import Outcome
from extproc.errors import VerificationError
from extproc.telemetry.otlp_messages import AnyValue, Resource, Span, Status

SCHEMA_URL = "https://opentelemetry.io/schemas/1.37.0"
REDACTED = "_OTHER"  # the semantic conventions' word for a method outside RFC 9110 and RFC 5789

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})

_COPIED = (
    ("user.hash", "request", "principal_hmac"),
    ("security_rule.ruleset.name", "policy", "entrypoint"),
    ("security_rule.version", "policy", "revision"),
    ("extproc.decision.verdict", "decision", "verdict"),
    ("extproc.decision.reasons", "decision", "reasons"),
    ("extproc.decision.enforcement", "decision", "enforcement"),
    ("extproc.decision.waives", "decision", "waives"),
    ("extproc.policy.engine", "policy", "engine"),
    ("extproc.policy.revision", "policy", "revision"),
    ("extproc.policy.digest", "policy", "policy_digest"),
    ("extproc.policy.data_digest", "policy", "data_digest"),
    ("extproc.policy.decision_id", "policy", "decision_id"),
    ("extproc.policy.input_digest", "policy", "input_digest"),
    ("extproc.policy.result_digest", "policy", "result_digest"),
    ("extproc.receipt.log", "log", "origin"),
    ("extproc.receipt.seq", "log", "seq"),
)
"""Attribute, section of the document, field of the section; an empty or absent field gives no attribute."""

Section: TypeAlias = Mapping[str, JSON]
_NOTHING: Section = {}


@dataclass(frozen=True, slots=True)
class SpanContext:
    """Which span, in the bytes of OTLP: 16 for the trace, 8 for the span."""

    trace_id: bytes
    span_id: bytes


@dataclass(frozen=True, slots=True)
class Producer:
    """Who signed: the service's name, the instance and the software's version become the span's resource."""

    service: str
    instance: str
    version: str


@dataclass(frozen=True, slots=True)
class ReceiptSpan:
    """A span, and what the shipper must know about its receipt."""

    span: Span
    context: SpanContext
    producer: Producer
    receipt_id: str


def receipt_span(payload: bytes, signature: bytes, key_id: str, earlier: Mapping[str, SpanContext]) -> ReceiptSpan:
    """Build the span of one receipt; `earlier` finds the span of the receipt that it calls its parent, if known.

    The signature is **not** checked here.  Raises VerificationError where the payload is no receipt.
    """
    document = _document(payload)
    try:
        return _receipt_span(document, payload, (signature, key_id), earlier)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise VerificationError(f"not a receipt: {type(error).__name__} in a required field") from error


def resource_of(producer: Producer) -> Resource:
    """`service.*` as the receipt was signed, which after an upgrade is not what runs now."""
    resource = Resource()
    for key, value in (
        ("service.name", producer.service),
        ("service.instance.id", producer.instance),
        ("service.version", producer.version),
    ):
        attribute = resource.attributes.add()
        attribute.key = key
        attribute.value.string_value = value
    return resource


def _document(payload: bytes) -> Section:
    try:
        document: JSON = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise VerificationError("not a receipt: the payload is no JSON") from error
    if not isinstance(document, dict):
        raise VerificationError("not a receipt: the payload is no JSON object")
    return document


def _receipt_span(
    document: Section, payload: bytes, proof: tuple[bytes, str], earlier: Mapping[str, SpanContext]
) -> ReceiptSpan:
    trace, issuer = _section(document, "trace"), _section(document, "issuer")
    kind, receipt_id, issued = (
        _text(document, "kind"),
        _text(document, "receipt_id"),
        _nanoseconds(_text(document, "issued_at")),
    )
    context = SpanContext(_identifier(trace, "trace_id", 16), _identifier(trace, "span_id", 8))
    parent = _identifier(trace, "parent_span_id", 8) if trace.get("parent_span_id") else b""
    span = Span(
        trace_id=context.trace_id,
        span_id=context.span_id,
        parent_span_id=parent,
        flags=_FLAGS_REMOTE_PARENT if parent else _FLAGS_ROOT,
        name="policy.decision" if kind == "decision" else f"policy.{kind}",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=max(0, issued - _integer(document, "eval_us") * 1000),
        end_time_unix_nano=issued,
    )
    _decision_attributes(span, document)
    signature, key_id = proof
    _put(span, "extproc.receipt.id", receipt_id)
    _put(span, "extproc.receipt.kind", kind)
    _put(span, "extproc.receipt.payload", payload.decode("utf-8"))
    _put(span, "extproc.receipt.signature", b64encode(signature).decode("ascii"))
    _put(span, "extproc.receipt.key_id", key_id)
    request_span = earlier.get(_text(document, "parent_receipt")) if document.get("parent_receipt") else None
    if request_span is not None:
        span.links.add(trace_id=request_span.trace_id, span_id=request_span.span_id)
    producer = Producer(_text(issuer, "service"), _text(issuer, "instance"), _text(issuer, "version"))
    return ReceiptSpan(span, context, producer, receipt_id)


_FLAGS_ROOT = 0x100  # SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_FLAGS_REMOTE_PARENT = 0x300  # and SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK: the parent is Envoy's span


def _decision_attributes(span: Span, document: Section) -> None:
    request, response, decision = (_section(document, name) for name in ("request", "response", "decision"))
    method, authority = request.get("method"), request.get("authority")
    _put(span, "http.request.method", method if not method or method in _METHODS else REDACTED)
    _put(span, "http.response.status_code", decision.get("status") or response.get("status"))
    if isinstance(authority, str):
        _put(span, "server.address", _host(authority))
    for key, section, name in _COPIED:
        _put(span, key, _section(document, section).get(name))
    _put(span, "extproc.decision.phase", document.get("phase"))
    _put(span, "extproc.decision.mutations", _mutations(decision.get("mutations")))
    _put(span, "extproc.decision.eval_us", document.get("eval_us"))
    for name, label in _section(decision, "labels").items():
        _put(span, f"extproc.decision.label.{name}", label)
    reasons = decision.get("reasons")
    reason = reasons[0] if isinstance(reasons, list) and reasons else None
    _put(span, "security_rule.name", reason)
    if decision.get("verdict") == Outcome.ERROR:  # a denial is an answer, not a failure: its status stays UNSET
        span.status.code = Status.STATUS_CODE_ERROR
        _put(span, "error.type", reason or REDACTED)


def _mutations(value: JSON) -> JSON:
    """Each change as `op name`; the digests of the values stay in the payload."""
    if not isinstance(value, list):
        return None
    return [f"{change['op']} {change['name']}" for change in value if isinstance(change, dict)]


def _put(span: Span, key: str, value: JSON) -> None:
    """Add one attribute, unless the value is none.  In place, because building KeyValue first takes twice as long."""
    if value is None or value in ("", []):
        return
    attribute = span.attributes.add()
    attribute.key = key
    _fill(attribute.value, value)


def _fill(target: AnyValue, value: JSON) -> None:
    match value:
        case str():
            target.string_value = value
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case list():
            for item in value:
                _fill(target.array_value.values.add(), item)
        case _:  # trace stores do not search in maps: an object is its JSON text
            target.string_value = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode("utf-8")


def _host(authority: str) -> str:
    """Take the host of an authority (RFC 3986, section 3.2), without its port."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isascii() and port.isdigit() else authority


def _section(document: Section, name: str) -> Section:
    section = document.get(name)
    return section if isinstance(section, dict) else _NOTHING


def _text(section: Section, name: str) -> str:
    value = section[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _integer(section: Section, name: str) -> int:
    value = section.get(name, 0)
    if not isinstance(value, int):
        raise TypeError(name)
    return value


def _identifier(section: Section, name: str, size: int) -> bytes:
    identifier = bytes.fromhex(_text(section, name))
    if len(identifier) != size or not any(identifier):
        raise ValueError(name)
    return identifier


def _nanoseconds(issued_at: str) -> int:
    """Exact in integers: a float of seconds holds only about 200 ns today."""
    since = datetime.fromisoformat(issued_at) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000
