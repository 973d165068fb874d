"""The part of OTLP that a receipt needs, with OTLP's names and field numbers and so with its bytes on the wire.

Ours, because two packages on PyPI write the Python module that OTLP's own files generate, and the one installed last
wins; the copy in xds-protos is of 2021, before partial_success.  The descriptors are built here, in a pool and under a
package name of their own: they clash with neither, and no generated file is kept.

Source: opentelemetry-proto 1.10.0, the files below opentelemetry/proto/ that the comments name.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

PACKAGE: Final = "extproc.telemetry.otlp"
Field: TypeAlias = tuple[str, str, int]
"""Type, name and number, as a .proto file has them: `(repeated) type name = number`."""

MESSAGES: Final[Mapping[str, tuple[Field, ...]]] = {
    # collector/trace/v1/trace_service.proto
    "ExportTraceServiceRequest": (("repeated ResourceSpans", "resource_spans", 1),),
    "ExportTraceServiceResponse": (("ExportTracePartialSuccess", "partial_success", 1),),
    "ExportTracePartialSuccess": (
        ("int64", "rejected_spans", 1),
        ("string", "error_message", 2),
    ),
    # trace/v1/trace.proto
    "ResourceSpans": (
        ("Resource", "resource", 1),
        ("repeated ScopeSpans", "scope_spans", 2),
        ("string", "schema_url", 3),
    ),
    "ScopeSpans": (
        ("InstrumentationScope", "scope", 1),
        ("repeated Span", "spans", 2),
        ("string", "schema_url", 3),
    ),
    "Span": (
        ("bytes", "trace_id", 1),
        ("bytes", "span_id", 2),
        ("bytes", "parent_span_id", 4),
        ("string", "name", 5),
        ("Span.SpanKind", "kind", 6),
        ("fixed64", "start_time_unix_nano", 7),
        ("fixed64", "end_time_unix_nano", 8),
        ("repeated KeyValue", "attributes", 9),
        ("repeated Span.Link", "links", 13),
        ("Status", "status", 15),
        ("fixed32", "flags", 16),
    ),
    "Span.Link": (
        ("bytes", "trace_id", 1),
        ("bytes", "span_id", 2),
    ),
    "Status": (("Status.StatusCode", "code", 3),),
    # resource/v1/resource.proto
    "Resource": (("repeated KeyValue", "attributes", 1),),
    # common/v1/common.proto
    "InstrumentationScope": (("string", "name", 1),),
    "KeyValue": (
        ("string", "key", 1),
        ("AnyValue", "value", 2),
    ),
    "AnyValue": (
        ("string", "string_value", 1),
        ("bool", "bool_value", 2),
        ("int64", "int_value", 3),
        ("ArrayValue", "array_value", 5),
    ),
    "ArrayValue": (("repeated AnyValue", "values", 1),),
}
"""A dotted name is nested in the message before the dot, which stands above it."""

ONEOFS: Final = {"AnyValue": "value"}
"""Messages of whose fields at most one is set."""

ENUMS: Final[Mapping[str, Mapping[str, int]]] = {  # trace/v1/trace.proto
    "Span.SpanKind": {"SPAN_KIND_UNSPECIFIED": 0, "SPAN_KIND_INTERNAL": 1},
    "Status.StatusCode": {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2},
}

_REPEATED: Final = "repeated "
_SCALARS: Final = {
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "fixed32": FieldDescriptorProto.TYPE_FIXED32,
    "fixed64": FieldDescriptorProto.TYPE_FIXED64,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
}


def message_classes() -> dict[str, type[Message]]:
    """Make protobuf's own class of each message, in a new pool; they are as fast as generated ones."""
    pool = DescriptorPool()
    pool.AddSerializedFile(_file().SerializeToString())
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="extproc/telemetry/otlp.proto", package=PACKAGE, syntax="proto3")
    messages: dict[str, DescriptorProto] = {}
    for path, fields in MESSAGES.items():
        parent, _, name = path.rpartition(".")
        messages[path] = message = messages[parent].nested_type.add() if parent else file.message_type.add()
        message.name = name
        if path in ONEOFS:
            message.oneof_decl.add(name=ONEOFS[path])
        message.field.extend(_field(field, in_oneof=path in ONEOFS) for field in fields)
    for path, values in ENUMS.items():
        parent, _, name = path.rpartition(".")
        messages[parent].enum_type.append(_enum(name, values))
    return file


def _field(field: Field, *, in_oneof: bool) -> FieldDescriptorProto:
    kind, name, number = field
    repeated, kind = kind.startswith(_REPEATED), kind.removeprefix(_REPEATED)
    proto = FieldDescriptorProto(name=name, number=number)
    proto.label = FieldDescriptorProto.LABEL_REPEATED if repeated else FieldDescriptorProto.LABEL_OPTIONAL
    if kind in _SCALARS:
        proto.type = _SCALARS[kind]
    else:
        proto.type = FieldDescriptorProto.TYPE_ENUM if kind in ENUMS else FieldDescriptorProto.TYPE_MESSAGE
        proto.type_name = f".{PACKAGE}.{kind}"
    if in_oneof:
        proto.oneof_index = 0
    return proto


def _enum(name: str, values: Mapping[str, int]) -> EnumDescriptorProto:
    enum = EnumDescriptorProto(name=name)
    for value, number in values.items():
        enum.value.add(name=value, number=number)
    return enum
