# The types of the classes that otlp_schema describes: as there, a dotted name is nested.

from collections.abc import Iterable
from typing import ClassVar

from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import Message

class ExportTraceServiceRequest(Message):
    resource_spans: RepeatedCompositeFieldContainer[ResourceSpans]
    def __init__(self, *, resource_spans: Iterable[ResourceSpans] = ...) -> None: ...

class ExportTraceServiceResponse(Message):
    partial_success: ExportTracePartialSuccess
    def __init__(self, *, partial_success: ExportTracePartialSuccess = ...) -> None: ...

class ExportTracePartialSuccess(Message):
    rejected_spans: int
    error_message: str
    def __init__(self, *, rejected_spans: int = ..., error_message: str = ...) -> None: ...

class ResourceSpans(Message):
    resource: Resource
    scope_spans: RepeatedCompositeFieldContainer[ScopeSpans]
    schema_url: str
    def __init__(
        self, *, resource: Resource = ..., scope_spans: Iterable[ScopeSpans] = ..., schema_url: str = ...
    ) -> None: ...

class ScopeSpans(Message):
    scope: InstrumentationScope
    spans: RepeatedCompositeFieldContainer[Span]
    schema_url: str
    def __init__(
        self, *, scope: InstrumentationScope = ..., spans: Iterable[Span] = ..., schema_url: str = ...
    ) -> None: ...

class Span(Message):
    SPAN_KIND_UNSPECIFIED: ClassVar[int]
    SPAN_KIND_INTERNAL: ClassVar[int]

    class Link(Message):
        trace_id: bytes
        span_id: bytes
        def __init__(self, *, trace_id: bytes = ..., span_id: bytes = ...) -> None: ...

    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    kind: int
    start_time_unix_nano: int
    end_time_unix_nano: int
    attributes: RepeatedCompositeFieldContainer[KeyValue]
    links: RepeatedCompositeFieldContainer[Span.Link]
    status: Status
    flags: int
    def __init__(
        self,
        *,
        trace_id: bytes = ...,
        span_id: bytes = ...,
        parent_span_id: bytes = ...,
        name: str = ...,
        kind: int = ...,
        start_time_unix_nano: int = ...,
        end_time_unix_nano: int = ...,
        attributes: Iterable[KeyValue] = ...,
        links: Iterable[Span.Link] = ...,
        status: Status = ...,
        flags: int = ...,
    ) -> None: ...

class Status(Message):
    STATUS_CODE_UNSET: ClassVar[int]
    STATUS_CODE_OK: ClassVar[int]
    STATUS_CODE_ERROR: ClassVar[int]
    code: int
    def __init__(self, *, code: int = ...) -> None: ...

class Resource(Message):
    attributes: RepeatedCompositeFieldContainer[KeyValue]
    def __init__(self, *, attributes: Iterable[KeyValue] = ...) -> None: ...

class InstrumentationScope(Message):
    name: str
    def __init__(self, *, name: str = ...) -> None: ...

class KeyValue(Message):
    key: str
    value: AnyValue
    def __init__(self, *, key: str = ..., value: AnyValue = ...) -> None: ...

class AnyValue(Message):
    string_value: str
    bool_value: bool
    int_value: int
    array_value: ArrayValue
    def __init__(
        self, *, string_value: str = ..., bool_value: bool = ..., int_value: int = ..., array_value: ArrayValue = ...
    ) -> None: ...

class ArrayValue(Message):
    values: RepeatedCompositeFieldContainer[AnyValue]
    def __init__(self, *, values: Iterable[AnyValue] = ...) -> None: ...
