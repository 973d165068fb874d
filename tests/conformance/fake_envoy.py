"""An Envoy in memory, as far as ext_proc sees one: BUFFERED both ways, the guards, the limits, the local replies.

What it does was measured on the real one (docs/wire.md); the table holds it to that, row by row.
"""

from dataclasses import replace

from conformance.exchange import Message, Pairs
from conformance.fake_call import Call, Immediate, LocalReply, Process
from envoy.extensions.filters.http.ext_proc.v3.processing_mode_pb2 import ProcessingMode
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from extproc.istio.gateway import Gateway

FILTER = "envoy.filters.http.ext_proc"


async def exchange(
    gateway: Gateway, process: Process, request: Message, answer: Message
) -> tuple[Message, Message | None]:
    """What the client gets, and what reached the upstream."""
    call = Call(gateway, process)
    call.start()
    reached: Message | None = None
    try:
        sent = await _request_half(call, request)
        reached = replace(sent, body=sent.body or b"")
        response = await _response_half(call, _upstream(answer, request), details="via_upstream")
    except Immediate as immediate:
        response = immediate.message
    except LocalReply as local:
        response = await _local(call, local)
    finally:
        await call.close()
    return response, reached


def _upstream(answer: Message, request: Message) -> Message:
    no_body = request.method == "HEAD" or answer.status in (204, 304)
    return replace(answer, body=None) if no_body else answer


async def _request_half(call: Call, request: Message) -> Message:
    prefix = call.gateway.prefix
    honest = tuple((n, v) for n, v in request.headers if not n.startswith(prefix))
    has_body = bool(request.body) or request.framing == "chunked"
    head = _request_head(replace(request, headers=honest))

    def headers(message: ProcessingRequest) -> None:
        _fill_headers(message.request_headers, head, end=not has_body)
        _attributes(message, {"request.id": "id", "request.protocol": "HTTP/1.1", "source.address": "127.0.0.1:1"})

    current = head
    if reply := await call.ask("request_headers", headers):
        current = _mutated(current, reply.request_headers.response.header_mutation)
    trailers = request.trailers
    if has_body and call.mode.request_body_mode == ProcessingMode.BUFFERED:
        current, trailers = await _request_body(call, request, current)
    if call.metadata.get("request") != "allow":
        raise LocalReply(403, "rbac_access_denied_matched_policy[none]", b"RBAC: access denied")
    path = dict(current)[":path"]
    visible = tuple((n, v) for n, v in current if not n.startswith(":"))
    return Message(method=request.method, target=path, headers=visible, body=request.body, trailers=trailers)


async def _request_body(call: Call, request: Message, head: Pairs) -> tuple[Pairs, Pairs]:
    body, trailers = request.body or b"", request.trailers
    if len(body) > call.gateway.buffer_bytes:
        raise LocalReply(413, "request_payload_too_large", b"Payload Too Large")

    def data(message: ProcessingRequest) -> None:
        message.request_body.body = body
        message.request_body.end_of_stream = not trailers

    if (body or not trailers) and (reply := await call.ask("request_body", data)):
        head = _mutated(head, reply.request_body.response.header_mutation)
    if trailers and (
        reply := await call.ask("request_trailers", lambda m: _fill(m.request_trailers.trailers, trailers))
    ):
        trailers = _mutated(trailers, reply.request_trailers.header_mutation)
    return head, trailers


async def _response_half(call: Call, answer: Message, *, details: str) -> Message:
    has_body = answer.body is not None and (bool(answer.body) or answer.framing == "chunked")

    def headers(message: ProcessingRequest) -> None:
        _fill_headers(message.response_headers, ((":status", str(answer.status)), *answer.headers), end=not has_body)
        _attributes(message, {"response.code_details": details})

    current, trailers = answer.headers, answer.trailers
    if reply := await call.ask("response_headers", headers):
        current = _mutated(current, reply.response_headers.response.header_mutation)
    if has_body and call.mode.response_body_mode == ProcessingMode.BUFFERED:
        current, trailers = await _response_body(call, answer, current)
    allowed = call.metadata.get("request") != "allow" or call.metadata.get("response") in ("allow", "waived")
    if not allowed:
        return Message(status=503, headers=(), body=b"")
    return replace(answer, headers=current, trailers=trailers)


async def _response_body(call: Call, answer: Message, head: Pairs) -> tuple[Pairs, Pairs]:
    trailers, body = answer.trailers, answer.body or b""
    if len(body) > call.gateway.buffer_bytes:
        raise LocalReply(500, "response_payload_too_large", b"Internal Server Error")

    def data(message: ProcessingRequest) -> None:
        message.response_body.body = body
        message.response_body.end_of_stream = not trailers

    if (body or not trailers) and (reply := await call.ask("response_body", data)):
        head = _mutated(head, reply.response_body.response.header_mutation)
    if trailers and (
        reply := await call.ask("response_trailers", lambda m: _fill(m.response_trailers.trailers, trailers))
    ):
        trailers = _mutated(trailers, reply.response_trailers.header_mutation)
    return head, trailers


async def _local(call: Call, local: LocalReply) -> Message:
    """A local reply passes the response half as well, but for one that comes in the midst of that half."""
    if local.details == "response_payload_too_large" or call.over:
        return local.message
    try:
        return await _response_half(call, local.message, details=local.details)
    except Immediate as immediate:
        return immediate.message
    except LocalReply as another:
        return another.message


def _request_head(request: Message) -> Pairs:
    pseudo = (
        (":method", request.method),
        (":path", request.target),
        (":authority", "gateway.test"),
        (":scheme", "http"),
    )
    length = (
        () if request.framing != "length" or request.body is None else (("content-length", str(len(request.body))),)
    )
    return (*pseudo, *request.headers, *length, ("x-request-id", "id"))


def _fill_headers(into: object, pairs: Pairs, *, end: bool) -> None:
    into.end_of_stream = end
    _fill(into.headers, pairs)


def _fill(into: object, pairs: Pairs) -> None:
    for name, value in pairs:
        into.headers.add(key=name.lower(), raw_value=value.encode("latin-1"))


def _attributes(message: ProcessingRequest, values: dict[str, str]) -> None:
    for name, value in values.items():
        message.attributes[FILTER].fields[name].string_value = value


def _mutated(pairs: Pairs, mutation: object) -> Pairs:
    kept = [(n, v) for n, v in pairs if n.lower() not in mutation.remove_headers]
    for option in mutation.set_headers:
        name, value = option.header.key, option.header.raw_value.decode()
        if option.append_action == option.OVERWRITE_IF_EXISTS_OR_ADD:
            kept = [(n, v) for n, v in kept if n.lower() != name]
        kept.append((name, value))
    return tuple(kept)
