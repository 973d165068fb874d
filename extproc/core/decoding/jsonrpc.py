"""JSON-RPC 2.0 messages in the terms of a policy: method, id, parameters; and the tool of an MCP `tools/call`.

A body is taken for JSON-RPC where an object, or one in a list, has the member `jsonrpc`, whatever else it has.  Nothing
is hidden and nothing refused for its form: a message that servers may take differently is shown with its `problem`.
"""

from collections.abc import Iterator
from typing import TypeAlias, TypeGuard

import orjson

from extproc.core.decoding import members
from extproc.core.inspection import Lifted
from extproc.core.rules import Limits
from extproc.errors import Malformed

_MARK = "jsonrpc"
_MEMBERS = frozenset({_MARK, "id", "method", "params", "result", "error"})
_ARGUMENTS = frozenset({"name", "arguments"})
_SHOWN = ("id", "method", "params")

_Object: TypeAlias = dict[str, object]


def lift(data: bytes, tree: object, limits: Limits) -> Lifted:
    """`jsonrpc`, a list with an object for each message of the text that `tree` was read from; nothing for other JSON.

    Each has `id`, `method` and `params` where the message has them; for `tools/call` (Model Context Protocol) `tool`
    and `arguments` too; and `problem` where it breaks the protocol.  Raises Malformed for a batch of more than
    `Limits.parts` messages.
    """
    if isinstance(tree, dict):
        if _MARK not in tree:
            return ()
    elif not (isinstance(tree, list) and _is_batch(data, tree)):
        return ()
    elif len(tree) > limits.parts:
        raise Malformed("too many messages in one batch")
    exact = members.exact(data)
    messages = exact if isinstance(exact, list) else [exact]
    return ((_MARK, orjson.dumps([*_messages(messages)])),)


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
    if not isinstance(message.get("id", ""), str | orjson.Fragment):
        return "id"
    return None


def _problem_of_response(message: _Object) -> str | None:
    if ("result" in message) is ("error" in message):
        return "method"
    if not isinstance(message.get("id", False), str | orjson.Fragment | None):
        return "id"
    return None


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
