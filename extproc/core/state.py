"""Who may speak when: one transition table that the code, the property test and docs/exchange.md all read.

An ext_proc stream is one HTTP exchange.  A pair that the table does not hold is a protocol error: the move changes
nothing, and the exchange is denied.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import assert_never

from extproc.core.events import Body, Direction, Event, Headers, Trailers


class Phase(StrEnum):
    """What the exchange waits for."""

    START = "start"
    REQUEST_BODY = "request_body"
    RESPONSE = "response"
    RESPONSE_BODY = "response_body"
    PASSING = "passing"
    ENDED = "ended"


class Message(StrEnum):
    """A message by what it means for the order of things; `_END` carries the end of its direction's stream.

    A local reply is a response that Envoy or one of its filters made; TOO_LARGE is the one that says that the request
    outgrew Envoy's buffer.
    """

    REQUEST_HEADERS = "request_headers"
    REQUEST_HEADERS_END = "request_headers, end"
    REQUEST_BODY = "request_body"
    REQUEST_BODY_END = "request_body, end"
    REQUEST_TRAILERS = "request_trailers"
    RESPONSE_HEADERS = "response_headers"
    RESPONSE_HEADERS_END = "response_headers, end"
    RESPONSE_BODY = "response_body"
    RESPONSE_BODY_END = "response_body, end"
    RESPONSE_TRAILERS = "response_trailers"
    LOCAL_REPLY = "local reply"
    LOCAL_REPLY_END = "local reply, end"
    TOO_LARGE = "local reply, request too large"


class Action(StrEnum):
    """What the exchange does with the message."""

    HOLD = "hold"  # keep it, let Envoy go on, decide later
    DECIDE = "decide"  # this half of the exchange is whole: ask the policy
    REFUSE = "refuse"  # Envoy has refused the request already: answer in its place
    ABANDON = "abandon"  # Envoy answered before the request's verdict: close it with a receipt, let the reply pass
    PASS = "pass"  # not ours to judge  # noqa: S105 - the verb, no password


_P, _M, _A = Phase, Message, Action

TABLE: Mapping[tuple[Phase, Message], tuple[Action, Phase]] = MappingProxyType(
    {
        (_P.START, _M.REQUEST_HEADERS_END): (_A.DECIDE, _P.RESPONSE),
        (_P.START, _M.REQUEST_HEADERS): (_A.HOLD, _P.REQUEST_BODY),
        (_P.START, _M.LOCAL_REPLY): (_A.PASS, _P.PASSING),
        (_P.START, _M.LOCAL_REPLY_END): (_A.PASS, _P.ENDED),
        (_P.START, _M.TOO_LARGE): (_A.PASS, _P.PASSING),
        (_P.REQUEST_BODY, _M.REQUEST_BODY): (_A.HOLD, _P.REQUEST_BODY),
        (_P.REQUEST_BODY, _M.REQUEST_BODY_END): (_A.DECIDE, _P.RESPONSE),
        (_P.REQUEST_BODY, _M.REQUEST_TRAILERS): (_A.DECIDE, _P.RESPONSE),
        (_P.REQUEST_BODY, _M.LOCAL_REPLY): (_A.ABANDON, _P.PASSING),
        (_P.REQUEST_BODY, _M.LOCAL_REPLY_END): (_A.ABANDON, _P.ENDED),
        (_P.REQUEST_BODY, _M.TOO_LARGE): (_A.REFUSE, _P.PASSING),
        (_P.RESPONSE, _M.RESPONSE_HEADERS_END): (_A.DECIDE, _P.ENDED),
        (_P.RESPONSE, _M.RESPONSE_HEADERS): (_A.HOLD, _P.RESPONSE_BODY),
        (_P.RESPONSE, _M.LOCAL_REPLY): (_A.PASS, _P.PASSING),
        (_P.RESPONSE, _M.LOCAL_REPLY_END): (_A.PASS, _P.ENDED),
        (_P.RESPONSE, _M.TOO_LARGE): (_A.PASS, _P.PASSING),
        (_P.RESPONSE_BODY, _M.RESPONSE_BODY): (_A.HOLD, _P.RESPONSE_BODY),
        (_P.RESPONSE_BODY, _M.RESPONSE_BODY_END): (_A.DECIDE, _P.ENDED),
        (_P.RESPONSE_BODY, _M.RESPONSE_TRAILERS): (_A.DECIDE, _P.ENDED),
    }
    | {(_P.PASSING, message): (_A.PASS, _P.PASSING) for message in Message if not message.startswith("request_headers")}
)
"""In BUFFERED mode a body without the end is whole too: trailers follow.  Both halves are decided with their trailers,
until whose reply Envoy holds headers and body back."""


_HEADERS = {
    (Direction.REQUEST, False): _M.REQUEST_HEADERS,
    (Direction.REQUEST, True): _M.REQUEST_HEADERS_END,
    (Direction.RESPONSE, False): _M.RESPONSE_HEADERS,
    (Direction.RESPONSE, True): _M.RESPONSE_HEADERS_END,
}
_BODY = {
    (Direction.REQUEST, False): _M.REQUEST_BODY,
    (Direction.REQUEST, True): _M.REQUEST_BODY_END,
    (Direction.RESPONSE, False): _M.RESPONSE_BODY,
    (Direction.RESPONSE, True): _M.RESPONSE_BODY_END,
}
_TRAILERS = {Direction.REQUEST: _M.REQUEST_TRAILERS, Direction.RESPONSE: _M.RESPONSE_TRAILERS}


def message_of(event: Event, *, ends: bool = False, local_reply: bool = False, too_large: bool = False) -> Message:
    """What an event means for the order of things; `ends` treats headers as the whole, for a body without an end."""
    match event:
        case Headers() if too_large:
            return Message.TOO_LARGE
        case Headers() if local_reply:
            return Message.LOCAL_REPLY_END if event.end_of_stream else Message.LOCAL_REPLY
        case Headers():
            return _HEADERS[event.direction, event.end_of_stream or ends]
        case Body():
            return _BODY[event.direction, event.end_of_stream]
        case Trailers():
            return _TRAILERS[event.direction]
        case _:
            assert_never(event)
