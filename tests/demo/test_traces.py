from extproc.demo.traces import Node, trees
from extproc.telemetry.otlp_messages import AnyValue, ArrayValue, KeyValue, Resource, ResourceSpans, ScopeSpans, Span

TRACE = b"t" * 16


def span(name: str, parent: str = "", start: int = 0, trace: bytes = TRACE) -> Span:
    return Span(
        trace_id=trace,
        span_id=name.encode().ljust(8),
        parent_span_id=parent.encode().ljust(8) if parent else b"",
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1_500_000,
    )


def sent(service: str, *spans: Span) -> ResourceSpans:
    name = KeyValue(key="service.name", value=AnyValue(string_value=service))
    return ResourceSpans(resource=Resource(attributes=[name]), scope_spans=[ScopeSpans(spans=spans)])


def shape(nodes: tuple[Node, ...]) -> list[object]:
    return [[f"{node.service}:{node.span.name}", *shape(node.children)] for node in nodes]


def test_spans_of_two_services_make_one_tree_and_siblings_stand_by_their_start() -> None:
    received = [
        sent("gateway", span("upstream", "ingress", 30), span("ingress", "", 1), span("call", "ingress", 2)),
        sent("extproc", span("response", "call", 40), span("request", "call", 3)),
    ]

    (tree,) = trees(received, TRACE.hex())

    assert shape((tree,)) == [
        ["gateway:ingress", ["gateway:call", ["extproc:request"], ["extproc:response"]], ["gateway:upstream"]]
    ]
    assert (tree.count(), tree.milliseconds) == (5, 1.5)


def test_a_span_whose_parent_has_not_come_is_a_root() -> None:
    assert shape(trees([sent("extproc", span("request", "call"))], TRACE.hex())) == [["extproc:request"]]


def test_a_span_that_was_delivered_twice_is_there_once() -> None:
    assert shape(trees([sent("extproc", span("a")), sent("extproc", span("a"))], TRACE.hex())) == [["extproc:a"]]


def test_spans_of_another_trace_are_left_out() -> None:
    assert trees([sent("extproc", span("a", trace=b"o" * 16))], TRACE.hex()) == ()


def test_attributes_of_every_kind_are_text() -> None:
    reasons = ArrayValue(values=[AnyValue(string_value="a"), AnyValue(string_value="b")])
    one = span("a")
    one.attributes.add(key="reasons", value=AnyValue(array_value=reasons))
    one.attributes.add(key="status", value=AnyValue(int_value=403))
    one.attributes.add(key="unset", value=AnyValue())

    (tree,) = trees([sent("extproc", one)], TRACE.hex())

    assert tree.attributes == {"reasons": "a, b", "status": "403", "unset": ""}
