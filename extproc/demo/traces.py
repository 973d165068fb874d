"""Spans as they arrived, put together again as trees."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from extproc.telemetry.otlp_messages import AnyValue, ResourceSpans, Span


@dataclass(frozen=True, slots=True)
class Node:
    """A span, the `service.name` that sent it, its attributes as text, and the spans below it by their start."""

    span: Span
    service: str
    attributes: dict[str, str]
    children: "tuple[Node, ...]"

    @property
    def milliseconds(self) -> float:
        """From start to end."""
        return (self.span.end_time_unix_nano - self.span.start_time_unix_nano) / 1e6

    def count(self) -> int:
        """How many spans there are with it and below it."""
        return 1 + sum(child.count() for child in self.children)


def trees(received: Iterable[ResourceSpans], trace_id: str) -> tuple[Node, ...]:
    """The trees of one trace (hexadecimal id): one, once all of it is here, for a span without its parent is a root.

    A span that was delivered twice is there once.
    """
    wanted = bytes.fromhex(trace_id)
    spans = {
        span.span_id: (span, _service(resource))
        for resource in received
        for scope in resource.scope_spans
        for span in scope.spans
        if span.trace_id == wanted
    }
    below: dict[bytes, list[bytes]] = defaultdict(list)
    for span_id, (span, _) in sorted(spans.items(), key=lambda item: item[1][0].start_time_unix_nano):
        below[span.parent_span_id if span.parent_span_id in spans else b""].append(span_id)

    def node(span_id: bytes) -> Node:
        span, service = spans[span_id]
        return Node(span, service, attributes_of(span), tuple(map(node, below[span_id])))

    return tuple(map(node, below[b""]))


def attributes_of(span: Span) -> dict[str, str]:
    """Every attribute as text; the members of a list are joined with a comma."""
    return {attribute.key: _text(attribute.value) for attribute in span.attributes}


def _text(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "array_value":
            return ", ".join(_text(member) for member in value.array_value.values)
        case "string_value":
            return value.string_value
        case "int_value":
            return str(value.int_value)
        case _:
            return ""


def _service(resource: ResourceSpans) -> str:
    names = [_text(attribute.value) for attribute in resource.resource.attributes if attribute.key == "service.name"]
    return names[0] if names else "unknown"
