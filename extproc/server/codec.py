"""Protobuf bytes to events, replies to protobuf bytes: the one door to Envoy's messages.

Source: envoy/service/ext_proc/v3/external_processor.proto.  The classes are upb-backed (xds-protos): parsing a headers
message costs microseconds where a pure-Python message costs hundreds.
"""

from collections.abc import Mapping
from typing import assert_never

from envoy.config.core.v3.base_pb2 import HeaderMap as ProtoHeaderMap
from envoy.config.core.v3.base_pb2 import HeaderValueOption
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import HeaderMutation as ProtoMutation
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct, Value

from extproc.core.events import (
    JSON,
    Body,
    Continue,
    Direction,
    Event,
    Headers,
    ImmediateResponse,
    Part,
    Reply,
    Signal,
    Trailers,
    Waiver,
)
from extproc.core.headers import HeaderMap, HeaderMutation
from extproc.errors import ProtocolError

NAMESPACE = "extproc"
"""The metadata namespace that the guards read (docs/wire.md)."""
_OVERWRITE = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
_APPEND = HeaderValueOption.APPEND_IF_EXISTS_OR_ADD
_EXACT = 1 << 53
"""Beyond it a double does not name one whole number, and beyond 2^64 the input document could not hold it as one."""


def decode(message: bytes) -> Event:
    """One ProcessingRequest.  Raises ProtocolError where it is none, or one that we never asked for."""
    try:
        request = ProcessingRequest.FromString(message)
    except DecodeError:
        raise ProtocolError("not a ProcessingRequest") from None
    kind = request.WhichOneof("request")
    if kind is None:
        raise ProtocolError("a ProcessingRequest without a message")
    direction = Direction.REQUEST if kind.startswith("request") else Direction.RESPONSE
    content = getattr(request, kind)
    if kind.endswith("_headers"):
        return Headers(
            direction=direction,
            headers=_header_map(content.headers),
            end_of_stream=content.end_of_stream,
            attributes=_attributes(request.attributes),
            metadata=_metadata(request.metadata_context.filter_metadata),
        )
    if kind.endswith("_body"):
        return Body(direction, content.body, content.end_of_stream)
    return Trailers(direction, _header_map(content.trailers))


def encode(reply: Reply) -> bytes:
    """One ProcessingResponse."""
    response = ProcessingResponse()
    match reply:
        case Continue():
            _encode_continue(reply, response)
        case ImmediateResponse():
            _encode_immediate(reply, response)
        case _:
            assert_never(reply)
    _encode_signal(reply.signal, response)
    return response.SerializeToString()


def _header_map(headers: ProtoHeaderMap) -> HeaderMap:
    """Envoy fills `raw_value`; `value` is read as well, for an Envoy that was told to send text."""
    return HeaderMap(tuple([(h.key.lower(), h.raw_value or h.value.encode()) for h in headers.headers]))


def _attributes(structs: Mapping[str, Struct]) -> dict[str, JSON]:
    """Every attribute under its own name; the map's keys are the names of Envoy's filters, which say nothing to us."""
    attributes: dict[str, JSON] = {}
    for name in structs:
        attributes.update(_struct(structs[name]))
    return attributes


def _metadata(structs: Mapping[str, Struct]) -> dict[str, JSON]:
    return {name: _struct(structs[name]) for name in structs}


def _struct(struct: Struct) -> dict[str, JSON]:
    """Through its names, as in all maps here: protobuf walks a map's items and values in Python."""
    fields = struct.fields
    return {name: _value(fields[name]) for name in fields}


def _value(value: Value) -> JSON:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "struct_value":
            return _struct(value.struct_value)
        case "list_value":
            return [_value(item) for item in value.list_value.values]
        case _:
            return None


def _encode_continue(reply: Continue, response: ProcessingResponse) -> None:
    part = getattr(response, f"{reply.direction}_{reply.part}")
    part.SetInParent()
    if reply.mutation:
        holder = part if reply.part is Part.TRAILERS else part.response
        _encode_mutation(reply.mutation, holder.header_mutation)
    if reply.waiver is not None:
        _encode_waiver(reply.waiver, response.mode_override)


def _encode_waiver(waiver: Waiver, mode: ProcessingMode) -> None:
    """Stop buffering; `render` allows exactly these overrides (extproc.istio.processor)."""
    both = waiver is Waiver.BOTH
    mode.response_header_mode = ProcessingMode.SEND
    mode.request_body_mode = ProcessingMode.NONE
    mode.response_body_mode = ProcessingMode.NONE if both else ProcessingMode.BUFFERED
    mode.request_trailer_mode = ProcessingMode.SKIP
    mode.response_trailer_mode = ProcessingMode.SKIP if both else ProcessingMode.SEND


def _encode_immediate(reply: ImmediateResponse, response: ProcessingResponse) -> None:
    immediate = response.immediate_response
    immediate.status.code = reply.status
    immediate.body = reply.body
    immediate.details = reply.details
    if reply.grpc_status is not None:
        immediate.grpc_status.status = reply.grpc_status
    _encode_mutation(reply.mutation, immediate.headers)


def _encode_mutation(mutation: HeaderMutation, into: ProtoMutation) -> None:
    """Envoy applies `remove_headers` before `set_headers`."""
    into.remove_headers.extend(mutation.remove)
    for action, fields in (
        (_OVERWRITE, mutation.set),
        (_APPEND, mutation.append),
    ):
        for name, value in fields:
            option = into.set_headers.add()
            header = option.header
            header.key, header.raw_value = name, value
            option.append_action = action


def _encode_signal(signal: Signal, response: ProcessingResponse) -> None:
    if signal.request is None and signal.response is None:
        return
    fields = response.dynamic_metadata.fields[NAMESPACE].struct_value.fields
    if signal.request is not None:
        fields["request"].string_value = signal.request
    if signal.response is not None:
        fields["response"].string_value = signal.response
    if signal.policy:
        _fill(signal.policy, fields["policy"].struct_value)


def _fill(values: Mapping[str, JSON], struct: Struct) -> None:
    struct.update(values)
