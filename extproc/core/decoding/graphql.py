"""GraphQL requests (GraphQL over HTTP) in the terms of a policy: operation, name, root fields, variables.

graphql-core reads the document, within bounds of length, tokens, comments and depth.  Nothing is validated against a
schema, and directives such as `@skip` are not applied: `root_fields` may name more than will be resolved, never less.

Many servers (graphene, express-graphql) prefer what the URL says to what the body says; GraphQL over HTTP knows these
parameters for GET alone.
"""

import re
from collections.abc import Iterable, Iterator
from typing import cast

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    parse,
)

from extproc.core.decoding import members
from extproc.errors import Malformed

_MEMBERS = frozenset({"query", "operationName", "variables"})
_NAMES = frozenset({"loc", "name", "alias"})
_PARAMETERS = frozenset({"query", "operationname", "variables", "extensions"})
_FIRST = re.compile(r"[\[\]\0]")
_LONGEST = 1 << 16  # the lexer takes some 100 ms for a MiB of one string
_MOST_TOKENS = 2_000  # some 8 ms
# What an executable document may begin with, after what the lexer ignores; a description may stand before an operation.
_BEGINNING = re.compile(r'(?:[\ufeff\s,]|#[^\n\r]*+)*+(?:[{"]|(?:query|mutation|subscription|fragment)\b)')


def is_spoken(tree: object) -> bool:
    """Whether a JSON value is an object whose `query` is a text that begins as a document does."""
    match tree:
        case {"query": str(query)}:
            return _BEGINNING.match(query) is not None
        case _:
            return False


def lift(body: object) -> bytes:
    """A JSON object: `operation` (query, mutation or subscription), `name`, `root_fields`, `literals`, `variables`.

    `name` is there where the operation has one, `variables` where they were sent; root fields stand in order, without
    aliases, fragments followed.  `literals` are the strings in the whole document, as a server reads them, where there
    are any.  Where a document cannot be read or names no one operation, `problem` stands for the first three.
    """
    request = cast("dict[str, object]", body)  # `is_spoken` has seen to it
    shown = _request(request)
    if "variables" in request:
        shown["variables"] = request["variables"]
    return orjson.dumps(shown)


def lift_document(text: str) -> bytes:
    """The same of a document that stands alone (`application/graphql`).  Raises Malformed where it cannot be read."""
    document = _read(text)
    if document is None:
        raise Malformed("no GraphQL document, or one beyond our bounds")
    return orjson.dumps(_shown(document, None))


def is_in_url(names: Iterable[str]) -> bool:
    """Whether a query string has a parameter of a GraphQL request, whatever its case, brackets or space.

    `query[a]`, `[query]` and `query]` are `query` to qs or Rack, and to PHP a name ends at a NUL.
    """
    return any(_FIRST.split(name.lstrip(" ["), maxsplit=1)[0].strip().casefold() in _PARAMETERS for name in names)


def beside_url(lifted: bytes) -> bytes:
    """What is lifted where the URL has such parameters too: which of the two operations runs is the server's choice."""
    shown = cast("dict[str, object]", members.exact(lifted))
    kept = {name: shown[name] for name in ("literals", "variables") if name in shown}
    return orjson.dumps({"problem": "url", **kept})


def _request(body: dict[str, object]) -> dict[str, object]:
    name = body.get("operationName")
    if members.in_other_letters(body, _MEMBERS):
        return {"problem": "member_case"}
    if not isinstance(name, str | None):
        return {"problem": "operation"}
    document = _read(str(body["query"]))
    return {"problem": "document"} if document is None else _shown(document, name or None)


def _read(text: str) -> DocumentNode | None:
    try:
        return parse(
            text,
            no_location=True,
            allow_empty_selection_sets=False,
            max_tokens=_MOST_TOKENS,
            max_comments=_MOST_TOKENS,
            max_source_length=_LONGEST,
        )
    except GraphQLSyntaxError:
        return None


def _shown(document: DocumentNode, name: str | None) -> dict[str, object]:
    literals = [*_literals(document)]
    return {**_operation(document, name), **({"literals": literals} if literals else {})}


def _operation(document: DocumentNode, name: str | None) -> dict[str, object]:
    """The operation that `name` selects, or the only one (GraphQL, section 6.1, GetOperation)."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = operations if name is None else [node for node in operations if node.name and node.name.value == name]
    if len(chosen) != 1:
        return {"problem": "operation"}
    (operation,) = chosen
    defined = [node for node in document.definitions if isinstance(node, FragmentDefinitionNode)]
    fragments = {node.name.value: node for node in defined}
    if len(fragments) != len(defined):
        return {"problem": "fragment"}
    named = {"name": operation.name.value} if operation.name else {}
    fields = dict.fromkeys(_root_fields(operation.selection_set, fragments))
    return {"operation": operation.operation.value, **named, "root_fields": [*fields]}


def _literals(document: DocumentNode) -> Iterator[str]:
    """Every string of the document, wherever it stands: escapes undone, block strings without their indentation."""
    waiting: list[Node] = [document]
    keys: dict[str, list[str]] = {}  # of each kind of node; without the names, for there are very many of them
    while waiting:
        node = waiting.pop()
        if isinstance(node, StringValueNode):
            yield node.value
        if node.kind not in keys:
            keys[node.kind] = [key for key in node.keys if key not in _NAMES]
        for key in keys[node.kind]:
            part = getattr(node, key, None)
            if isinstance(part, tuple):
                waiting += part
            elif isinstance(part, Node):
                waiting.append(part)


def _root_fields(root: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> Iterator[str]:
    """The fields of the root type; each fragment is followed once, so a circle ends."""
    waiting = [*reversed(root.selections)]
    unseen = dict(fragments)
    while waiting:
        node = waiting.pop()
        if isinstance(node, FieldNode):
            yield node.name.value
        elif isinstance(node, InlineFragmentNode):
            waiting += reversed(node.selection_set.selections)
        elif isinstance(node, FragmentSpreadNode) and (fragment := unseen.pop(node.name.value, None)):
            waiting += reversed(fragment.selection_set.selections)
