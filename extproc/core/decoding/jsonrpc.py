"""JSON-RPC 2.0 messages in the terms of a policy: method, id, parameters; and the tool of an MCP `tools/call`.

A body is taken for JSON-RPC where an object, or one in a list, has the member `jsonrpc`, whatever else it has.  Nothing
is hidden and nothing refused for its form: a message that servers may take differently is shown with its `problem`.
"""

from collections.abc import Iterator
from types import NoneType
from typing import TypeAlias, TypeGuard

import orjson

from extproc.core.decoding import members
from extproc.core.rules import Limits
from extproc.errors import Malformed

_MARK = "jsonrpc"
_MEMBERS = frozenset({_MARK, "id", "method", "params", "result", "error"})
_ARGUMENTS = frozenset({"name", "arguments"})
_ID_TYPES = frozenset({str, int, orjson.Fragment})  # not bool, which is an int to isinstance
_SHOWN = ("id", "method", "params")

_Object: TypeAlias = dict[str, object]


def is_spoken(data: bytes, tree: object, limits: Limits) -> bool:
    """Whether a JSON text, and what was read from it, has a message.

    Raises Malformed for a batch of more than `Limits.parts` messages.
    """
    if not isinstance(tree, list):
        return isinstance(tree, dict) and _MARK in tree
    found = _is_batch(data, tree)
    if found and len(tree) > limits.parts:
        raise Malformed("too many messages in one batch")
    return found


def lift(body: object) -> bytes:
    """A JSON list with an object for each message of a body, which is read by `members.exact`.

    It has `id`, `method` and `params` where the message has them; for `tools/call` (Model Context Protocol) `tool` and
    `arguments` too; and `problem` where it breaks the protocol.
    """
    return orjson.dumps([*_messages(body if isinstance(body, list) else [body])])


def _is_batch(data: bytes, messages: list[object]) -> bool:
    """Looks at the bytes first: most lists need no second look, and an escape may hide the word."""
    return (_MARK.encode() in data or b"\\u" in data) and any(
        isinstance(message, dict) and _MARK in message for message in messages
    )


def _messages(batch: list[object]) -> Iterator[_Object]:
    ids: set[object] = set()
    for message in batch:
        if not _is_object(message):
            yield {"problem": "no_object"}
            continue
        shown: _Object = {name: message[name] for name in _SHOWN if name in message}
        problem = _problem(message)
        if shown.get("method") == "tools/call":
            call = message.get("params")
            problem = problem or _problem_of_call(call)
            shown |= _tool(call)
        if problem is None and "id" in message and "method" in message:
            id_ = orjson.loads(orjson.dumps(message["id"]))  # 1 and 1.0 are one number to JavaScript
            problem = "duplicate_id" if id_ in ids else None
            ids.add(id_)
        yield shown | ({"problem": problem} if problem else {})


def _problem(message: _Object) -> str | None:
    """The first thing that is wrong with a message, in one word."""
    if members.in_other_letters(message, _MEMBERS):
        return "member_case"
    if message.get(_MARK) != "2.0":
        return "version"
    if not isinstance(message.get("params", {}), dict | list):
        return "params"
    return _problem_of_request(message) if "method" in message else _problem_of_response(message)


def _problem_of_request(message: _Object) -> str | None:
    if not isinstance(message["method"], str) or not message.keys().isdisjoint({"result", "error"}):
        return "method"
    return "id" if type(message.get("id", "")) not in _ID_TYPES else None


def _problem_of_response(message: _Object) -> str | None:
    if ("result" in message) is ("error" in message):
        return "method"
    return "id" if type(message.get("id", False)) not in {*_ID_TYPES, NoneType} else None


def _problem_of_call(call: object) -> str | None:
    if not _is_object(call) or not isinstance(call.get("name"), str) or members.in_other_letters(call, _ARGUMENTS):
        return "tool"
    return None if isinstance(call.get("arguments", {}), dict) else "tool"


def _tool(call: object) -> _Object:
    """The tool and its arguments, as they stand there."""
    if not _is_object(call):
        return {}
    return {shown: call[name] for shown, name in (("tool", "name"), ("arguments", "arguments")) if name in call}


def _is_object(value: object) -> TypeGuard[_Object]:
    return isinstance(value, dict)
