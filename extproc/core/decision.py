"""The strict reading of a policy's answer.  A Decision comes from `parse_decision` and from nowhere else.

docs/policies.md has the keys.  An unknown key is an error, so that a typing error never opens the gate.
"""

import re
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from typing import Required, TypeAlias

from pydantic import ConfigDict, JsonValue, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from extproc.core.decoding import json
from extproc.core.events import JSON, Direction
from extproc.core.headers import NO_MUTATION, HeaderMutation
from extproc.core.point import Point
from extproc.core.query import NO_QUERY_MUTATION, QueryMutation
from extproc.core.rules import Limits, Mutations, Rules
from extproc.errors import InvalidDecision, Malformed, MutationRefused, UndefinedDecision

_LIMITS = Limits(depth=16)
"""Each level of metadata is three levels of protobuf, of which Envoy reads a hundred."""
_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
"""What Envoy takes for a header's value; at any other one it fails the exchange, whatever a receipt has claimed."""
RESERVED = ("receipt-id", "verdict", "policy-hash")
"""Names, after the prefix, that only the server writes."""
_FRAMING = frozenset({"connection", "content-length", "host", "transfer-encoding", "upgrade"})
_AT_HEADERS = frozenset({"allowed", "inspect", "reasons", "labels", "http_status", "body"})
_CHANGES = frozenset({"headers", "request_headers_to_remove", "response_headers_to_add"})
_LOCATION_CHARACTERS = 128  # of an error's place, which may hold names that the policy made up

HeaderFields: TypeAlias = dict[str, str | list[str]]
Pairs: TypeAlias = tuple[tuple[str, bytes], ...]

_STRICT = with_config(ConfigDict(strict=True, extra="forbid"))


@_STRICT
class _Reason(TypedDict, total=False):
    """Why.  Only `code` leaves the policy: it goes to the receipt, and the first one to the client."""

    code: Required[str]
    message: str
    rule: str
    severity: str


@_STRICT
class _Inspect(TypedDict, total=False):
    """Which bodies of the exchange are to be inspected; both, unless one is named here as false."""

    request_body: bool
    response_body: bool


@_STRICT
class _Answer(TypedDict, total=False):
    """The result document, key by key."""

    allowed: Required[bool]
    http_status: int | None
    body: str | None
    headers: HeaderFields | list[HeaderFields]
    request_headers_to_remove: list[str]
    response_headers_to_add: HeaderFields | list[HeaderFields]
    query_parameters_to_set: dict[str, str | list[str]]
    query_parameters_to_remove: list[str]
    dynamic_metadata: dict[str, JsonValue]
    reasons: list[_Reason]
    labels: dict[str, str]
    inspect: _Inspect


_ANSWER = TypeAdapter(_Answer)


class _Parser:
    """The key to the constructor of Decision."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said, well-formed and within what the configuration permits.

    `status` and `message` shape a denial; `reasons` are its codes.  `request`, `response` and `query` are the changes
    it asks for.  `odd_status` is a status outside 400-499 that was replaced by the configured one.  `waives` are the
    halves whose bodies may pass uninspected: the headers point alone can say so.
    """

    parser: InitVar[_Parser]
    allowed: bool
    status: int
    message: str
    reasons: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    request: HeaderMutation = NO_MUTATION
    response: HeaderMutation = NO_MUTATION
    query: QueryMutation = NO_QUERY_MUTATION
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    odd_status: int | None = None
    waives: frozenset[Direction] = frozenset()

    def __post_init__(self, parser: _Parser) -> None:
        """Only the strict parser holds the key."""
        if not isinstance(parser, _Parser):
            raise TypeError("a Decision comes from parse_decision")


def parse_decision(result: bytes | None, point: Point, rules: Rules) -> Decision:
    """Read the JSON text of a result.

    Raises UndefinedDecision (no result), InvalidDecision (not a decision), MutationRefused (a change that is not
    permitted).  Messages name keys, never values.
    """
    if result is None:
        raise UndefinedDecision("the entrypoint has no rule that applies to this input")
    answer = _read(result)
    allowed, asked = answer["allowed"], answer.get("http_status")
    usable = asked is not None and 400 <= asked <= 499  # noqa: PLR2004 - the 4xx class
    message = answer.get("body")
    _check_point(answer, point)
    request, response = _header_mutations(answer, point)
    _check_headers(request, Direction.REQUEST, rules)
    _check_headers(response, Direction.RESPONSE, rules)
    return Decision(
        parser=_Parser(),
        allowed=allowed,
        status=asked if asked is not None and usable else rules.blocking.status,
        message=rules.blocking.message if message is None else message,
        reasons=tuple([reason["code"] for reason in answer.get("reasons", ())]),
        labels=answer.get("labels", {}),
        request=request,
        response=response,
        query=_query_mutation(answer, point, rules.mutations),
        metadata=answer.get("dynamic_metadata", {}),
        odd_status=None if allowed or asked is None or usable else asked,
        waives=_waives(answer) if allowed else frozenset(),
    )


def _read(result: bytes) -> _Answer:
    try:
        tree = json.read(result, _LIMITS)
        return {"allowed": tree} if isinstance(tree, bool) else _ANSWER.validate_python(tree)
    except Malformed as error:
        raise InvalidDecision(f"the result: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "the result"
        raise InvalidDecision(f"{where[:_LOCATION_CHARACTERS]!r}: {first['type']}") from None


def _check_point(answer: _Answer, point: Point) -> None:
    """The headers point lets go on or denies, and says what is inspected; whatever is changed the others change."""
    if point is not Point.HEADERS:
        if "inspect" in answer:
            raise InvalidDecision("'inspect': the headers point alone decides on it")
    elif answer["allowed"] and not _AT_HEADERS.issuperset(answer):
        raise MutationRefused("the headers point changes nothing: the request point does")


def _waives(answer: _Answer) -> frozenset[Direction]:
    if "inspect" not in answer:
        return frozenset()
    inspect = answer["inspect"]
    seen = {
        Direction.REQUEST: inspect.get("request_body", True),
        Direction.RESPONSE: inspect.get("response_body", True),
    }
    return frozenset(way for way, inspected in seen.items() if not inspected)


def _header_mutations(answer: _Answer, point: Point) -> tuple[HeaderMutation, HeaderMutation]:
    """`headers` go where they still can: to the request when it is let through, else to what the client gets."""
    if _CHANGES.isdisjoint(answer):
        return NO_MUTATION, NO_MUTATION
    given = _overwrite(_fields(answer.get("headers", {})))
    more = _fields(answer.get("response_headers_to_add", {}))
    added = HeaderMutation(append=more) if more else NO_MUTATION
    removed = tuple([name.lower() for name in answer.get("request_headers_to_remove", ())])
    if point is Point.REQUEST and answer["allowed"]:
        return given + HeaderMutation(remove=removed) if removed else given, added
    if removed and point is Point.RESPONSE:
        raise MutationRefused("request_headers_to_remove: the request is gone at the response point")
    return NO_MUTATION, given + added


def _overwrite(fields: Pairs) -> HeaderMutation:
    """The first value of a name replaces what is there, its further values join it."""
    if not fields:
        return NO_MUTATION
    first: dict[str, bytes] = {}
    more: list[tuple[str, bytes]] = []
    for name, value in fields:
        if name in first:
            more.append((name, value))
        else:
            first[name] = value
    return HeaderMutation(set=tuple(first.items()), append=tuple(more))


def _fields(headers: HeaderFields | list[HeaderFields]) -> Pairs:
    groups = headers if isinstance(headers, list) else [headers]
    named = [(name.lower(), value) for group in groups for name, value in group.items()]
    return tuple([(name, text.encode()) for name, value in named for text in _texts(value)])


def _texts(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _check_headers(mutation: HeaderMutation, direction: Direction, rules: Rules) -> None:
    for name, value in (*mutation.set, *mutation.append, *[(name, b"") for name in mutation.remove]):
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise MutationRefused(f"{direction} header {name[:64]!r}: not a valid header name or value")
        ours = name.startswith(rules.prefix) and name[len(rules.prefix) :] in RESERVED
        if ours or name in _FRAMING or not rules.mutations.permits(direction, name):
            raise MutationRefused(f"{direction} header {name[:64]!r}: not within mutations.{direction}_headers")


def _query_mutation(answer: _Answer, point: Point, mutations: Mutations) -> QueryMutation:
    """The query of a request that is let through; of a denied one there is nothing left to change."""
    if "query_parameters_to_set" not in answer and "query_parameters_to_remove" not in answer:
        return NO_QUERY_MUTATION
    query = QueryMutation(
        tuple([(name, _texts(value)) for name, value in answer.get("query_parameters_to_set", {}).items()]),
        tuple(answer.get("query_parameters_to_remove", ())),
    )
    if query and point is Point.RESPONSE:
        raise MutationRefused("query_parameters: the request is gone at the response point")
    if not query or not answer["allowed"]:
        return NO_QUERY_MUTATION
    if not mutations.path:
        raise MutationRefused("query_parameters: mutations.path is false")
    return query
