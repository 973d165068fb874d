"""GraphQL requests (GraphQL over HTTP) in the terms of a policy: operation, name, root fields, variables.

graphql-core reads the document, within bounds of length, tokens, comments and depth.  Nothing is validated against a
schema, and directives such as `@skip` are not applied: `root_fields` may name more than will be resolved, never less.
"""

import re
from collections.abc import Iterator

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSyntaxError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    parse,
)

from extproc.core.decoding import members
from extproc.core.inspection import Lifted
from extproc.errors import Malformed

_MEMBERS = frozenset({"query", "operationName", "variables"})
_LONGEST = 1 << 16  # the lexer takes some 100 ms for a MiB of one string
_MOST_TOKENS = 2_000  # some 8 ms
# What an executable document may begin with, after what the lexer ignores; a description may stand before an operation.
_BEGINNING = re.compile(r'(?:[\ufeff\s,]|#[^\n\r]*+)*+(?:[{"]|(?:query|mutation|subscription|fragment)\b)')


class _Problem(Exception):
    """Why there is no one operation to show, in one word."""


def lift_document(text: str) -> Lifted:
    """`graphql` of a document that stands alone (`application/graphql`).  Raises Malformed where it cannot be read."""
    try:
        document = _read(text)
    except _Problem:
        raise Malformed("no GraphQL document, or one beyond our bounds") from None
    return _lifted(_shown(document, None))


def lift(data: bytes, tree: object) -> Lifted:
    """`graphql` of a JSON object whose `query` is a text that begins as a document does; nothing for other JSON.

    An object of `operation` (query, mutation or subscription), `name` where it has one, `root_fields` without aliases,
    in order, fragments followed, and `variables` where they were sent.  Where a document cannot be read or names no one
    operation, `problem` says so instead; nothing is refused.
    """
    if not isinstance(tree, dict) or not isinstance(query := tree.get("query"), str) or not _BEGINNING.match(query):
        return ()
    shown = _request(tree, query)
    if "variables" in tree:
        shown["variables"] = members.exact_object(data)["variables"]
    return _lifted(shown)


def _lifted(shown: dict[str, object]) -> Lifted:
    return (("graphql", orjson.dumps(shown)),)


def _request(tree: dict[str, object], query: str) -> dict[str, object]:
    if members.in_other_letters(tree, _MEMBERS):
        return {"problem": "member_case"}
    name = tree.get("operationName")
    if not isinstance(name, str | None):
        return {"problem": "operation"}
    try:
        return _shown(_read(query), name or None)
    except _Problem:
        return {"problem": "document"}


def _read(text: str) -> DocumentNode:
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
        raise _Problem from None


def _shown(document: DocumentNode, name: str | None) -> dict[str, object]:
    """The operation that `name` selects, or the only one (GraphQL, section 6.1, GetOperation)."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    chosen = operations if name is None else [node for node in operations if node.name and node.name.value == name]
    if len(chosen) != 1:
        return {"problem": "operation"}
    (operation,) = chosen
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    named = {"name": operation.name.value} if operation.name else {}
    fields = dict.fromkeys(_root_fields(operation.selection_set, fragments))
    return {"operation": operation.operation.value, **named, "root_fields": [*fields]}


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
