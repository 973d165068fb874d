"""Envoy's messages to events, replies to Envoy's messages; what is neither is refused."""

import random

import orjson
import pytest
from envoy.config.core.v3.base_pb2 import HeaderValueOption, Metadata
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest, ProcessingResponse
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from extproc.core.events import (
    Body,
    Continue,
    Direction,
    Guard,
    Headers,
    ImmediateResponse,
    Part,
    Signal,
    Trailers,
    Waiver,
)
from extproc.core.headers import HeaderMap, HeaderMutation
from extproc.errors import ProtocolError
from extproc.server.codec import decode, encode

OVERWRITE, APPEND = HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD, HeaderValueOption.APPEND_IF_EXISTS_OR_ADD


def message(**parts: object) -> bytes:
    return ProcessingRequest(**parts).SerializeToString()


def struct(values: dict[str, object]) -> Struct:
    out = Struct()
    out.update(values)
    return out


@pytest.mark.parametrize("way", Direction)
def test_headers_with_everything(way: Direction) -> None:
    given = {"source.address": "127.0.0.1:1", "connection.mtls": True, "response.code": 200}
    claims = {"jwt": {"sub": "me", "aud": ["a", None, 1.5], "admin": False}}
    request = ProcessingRequest(
        attributes={"envoy.filters.http.ext_proc": struct(given), "other": struct({"request.id": "r"})},
        metadata_context=Metadata(filter_metadata={"envoy.filters.http.jwt_authn": struct(claims)}),
    )
    content = getattr(request, f"{way}_headers")
    content.end_of_stream = True
    for key, raw, text in (
        (":path", b"/\xff", ""),
        ("x-a", b"", "t\u00e9"),
        ("X-A", b"2", "ignored"),
        ("x-empty", b"", ""),
    ):
        content.headers.headers.add(key=key, raw_value=raw, value=text)
    assert decode(request.SerializeToString()) == Headers(
        direction=way,
        headers=HeaderMap(((":path", b"/\xff"), ("x-a", "t\u00e9".encode()), ("x-a", b"2"), ("x-empty", b""))),
        end_of_stream=True,
        attributes={**given, "request.id": "r"},
        metadata={"envoy.filters.http.jwt_authn": claims},
    )


@pytest.mark.parametrize("way", Direction)
@pytest.mark.parametrize("end", [True, False])
def test_a_body_is_its_bytes(way: Direction, end: bool) -> None:  # noqa: FBT001 - pytest's parameter
    event = decode(message(**{f"{way}_body": {"body": b"\x00\xff", "end_of_stream": end}}))
    assert event == Body(way, b"\x00\xff", end_of_stream=end)


@pytest.mark.parametrize("way", Direction)
def test_trailers(way: Direction) -> None:
    trailers = {"headers": [{"key": "Grpc-Status", "raw_value": b"0"}]}
    assert decode(message(**{f"{way}_trailers": {"trailers": trailers}})) == Trailers(
        way, HeaderMap((("grpc-status", b"0"),))
    )


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        (1.0, 1),
        (-3.0, -3),
        (2.5, 2.5),
        (2.0**53, 2**53),
        (2.0**53 * 4, 2.0**55),
        (1e300, 1e300),
        (float("inf"), float("inf")),
    ],
)
def test_a_number_of_a_claim_fits_the_input_document(number: float, seen: float) -> None:
    request = ProcessingRequest(request_headers={})
    request.metadata_context.filter_metadata["ns"].fields["n"].number_value = number
    event = decode(request.SerializeToString())
    assert isinstance(event, Headers)
    assert (event.metadata, type(event.metadata["ns"]["n"])) == ({"ns": {"n": seen}}, type(seen))  # type: ignore[index]  # one shape
    assert orjson.dumps(event.metadata)


@pytest.mark.parametrize(
    "garbage",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x08\x01", id="async mode alone"),
        pytest.param(b"\xff\xff\xff", id="no protobuf"),
        pytest.param(b"\x12\x7f\x01", id="truncated"),
        pytest.param(b"\xf2\x3f\x02\x08\x01", id="a oneof of a later version"),
        pytest.param(b"\x12\x04\x0a\x02\x0a\xff", id="headers cut in the middle"),
    ],
)
def test_what_is_no_message_is_a_protocol_error(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode(garbage)


def test_random_bytes_are_an_event_or_a_protocol_error() -> None:
    dice = random.Random(7)  # noqa: S311 - not for secrets
    whole = message(request_headers={"headers": {"headers": [{"key": "a", "raw_value": b"b"}]}})
    for _ in range(2000):
        bad = bytearray(whole if dice.random() < 0.5 else dice.randbytes(dice.randrange(60)))
        if bad:
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        try:
            event = decode(bytes(bad))
        except ProtocolError:
            continue
        assert isinstance(event, Headers | Body | Trailers)


@pytest.mark.parametrize(("way", "part"), [(way, part) for way in Direction for part in Part])
def test_a_continue_answers_exactly_the_part_that_was_asked(way: Direction, part: Part) -> None:
    response = ProcessingResponse.FromString(encode(Continue(way, part)))
    assert MessageToDict(response) == {f"{way}{part.capitalize()}": {}}


def test_mutations_signal_and_waiver() -> None:
    reply = Continue(
        Direction.REQUEST,
        Part.HEADERS,
        mutation=HeaderMutation(set=(("x-a", b"\xff"),), append=(("x-b", b"2"),), remove=("x-c",)),
        signal=Signal(
            request=Guard.ALLOW, response=Guard.WAIVED, policy={"team": "a", "n": 1, "deep": {"l": [True, None]}}
        ),
        waiver=Waiver.BOTH,
    )
    response = ProcessingResponse.FromString(encode(reply))
    mutation = response.request_headers.response.header_mutation
    mode = response.mode_override
    assert (
        [(o.header.key, o.header.raw_value, o.header.value, o.append_action) for o in mutation.set_headers],
        list(mutation.remove_headers),
        MessageToDict(response.dynamic_metadata),
        (mode.request_header_mode, mode.response_header_mode, mode.request_body_mode, mode.response_body_mode),
        (mode.request_trailer_mode, mode.response_trailer_mode),
    ) == (
        [("x-a", b"\xff", "", OVERWRITE), ("x-b", b"2", "", APPEND)],
        ["x-c"],
        {
            "extproc": {
                "request": "allow",
                "response": "waived",
                "policy": {"team": "a", "n": 1, "deep": {"l": [True, None]}},
            }
        },
        (ProcessingMode.DEFAULT, ProcessingMode.SEND, ProcessingMode.NONE, ProcessingMode.NONE),
        (ProcessingMode.SKIP, ProcessingMode.SKIP),
    )


def test_trailers_are_changed_directly() -> None:
    reply = Continue(Direction.RESPONSE, Part.TRAILERS, mutation=HeaderMutation(remove=("x",)))
    response = ProcessingResponse.FromString(encode(reply))
    assert list(response.response_trailers.header_mutation.remove_headers) == ["x"]


@pytest.mark.parametrize("grpc_status", [None, 7])
def test_an_immediate_response(grpc_status: int | None) -> None:
    reply = ImmediateResponse(
        status=451,
        mutation=HeaderMutation(set=(("content-type", b"text/plain"),)),
        body=b"no",
        details="attack",
        signal=Signal(request=Guard.DENY),
        grpc_status=grpc_status,
    )
    response = ProcessingResponse.FromString(encode(reply))
    immediate = response.immediate_response
    assert (
        immediate.status.code,
        immediate.body,
        immediate.details,
        [(o.header.key, o.header.raw_value) for o in immediate.headers.set_headers],
        immediate.grpc_status.status if immediate.HasField("grpc_status") else None,
        MessageToDict(response.dynamic_metadata),
    ) == (451, b"no", "attack", [("content-type", b"text/plain")], grpc_status, {"extproc": {"request": "deny"}})
