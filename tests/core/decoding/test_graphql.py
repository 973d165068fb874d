import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.graphql import beside_url, is_in_url
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import JSON
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch, Undecodable

MEDIA = MediaType("application/json")
DOCUMENT = MediaType("application/graphql")
LIMITS = Limits()


def _lifted(body: JSON) -> JSON:
    data = json.dumps(body).encode()
    decoded = decode(data, MEDIA, LIMITS)
    assert decoded.parsed == data
    text = dict(decoded.lifted).get("graphql")
    return None if text is None else json.loads(text)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("{a b: c}", {"operation": "query", "root_fields": ["a", "c"]}),
        ("query Q($x: Int) { a(x: $x) { b } a }", {"operation": "query", "name": "Q", "root_fields": ["a"]}),
        ("mutation M { drop @skip(if: true) }", {"operation": "mutation", "name": "M", "root_fields": ["drop"]}),
        ("subscription { s }", {"operation": "subscription", "root_fields": ["s"]}),
        ("\ufeff ,# comment\n{a}", {"operation": "query", "root_fields": ["a"]}),
        ('"what it does" query {a}', {"operation": "query", "root_fields": ["a"], "literals": ["what it does"]}),
        (
            """{ ...F z } fragment F on Query { a ...G ... on Query { b } ... @include(if: true) { c } ...F }
            fragment G on Query { d ...F }""",
            {"operation": "query", "root_fields": ["a", "d", "b", "c", "z"]},
        ),
        ("{ a ...Unknown }", {"operation": "query", "root_fields": ["a"]}),
    ],
)
def test_the_operation_and_the_fields_at_its_root_are_lifted(query: str, shown: JSON) -> None:
    assert _lifted({"query": query}) == shown
    assert _lifted({"query": query, "operationName": None, "extensions": {}}) == shown


def test_the_name_selects_one_of_several_operations() -> None:
    query = "query A {a} mutation B {b}"
    assert _lifted({"query": query, "operationName": "B"}) == {
        "operation": "mutation",
        "name": "B",
        "root_fields": ["b"],
    }


def test_variables_keep_their_digits() -> None:
    data = b'{"query":"{a}","variables":{"n":9007199254740993.10}}'
    shown = b'{"operation":"query","root_fields":["a"],"variables":{"n":9007199254740993.10}}'
    assert decode(data, MEDIA, LIMITS) == Decoded(parsed=data, lifted=(("graphql", shown),))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"query": "{a"}, "document"),
        ({"query": "{}"}, "document"),
        ({"query": "query foo bar"}, "document"),
        ({"query": "{" + "a " * 2_000 + "}"}, "document"),
        ({"query": "{a(b:" + "[" * 900 + "]" * 900 + ")}"}, "document"),
        ({"query": "{" + "a{" * 900 + "b" + "}" * 901}, "document"),
        ({"query": "#\n" * 3_000 + "{a}"}, "document"),
        ({"query": '{a(b:"' + "x" * 70_000 + '")}'}, "document"),
        ({"query": "query A {a} query B {b}"}, "operation"),
        ({"query": "query A {a}", "operationName": "B"}, "operation"),
        ({"query": "query A {a} query A {b}", "operationName": "A"}, "operation"),
        ({"query": "fragment F on Query {a}"}, "operation"),
        ({"query": "{a}", "operationName": 1}, "operation"),
        ({"query": "{a}", "operationName": False}, "operation"),
        ({"query": "{...F} fragment F on Q {a} fragment F on Q {b}"}, "fragment"),
        ({"query": "{a}", "Query": "{b}"}, "member_case"),
        ({"query": "{a}", "operationname": "B"}, "member_case"),
    ],
)  # fmt: skip
def test_a_request_without_one_readable_operation_is_shown_with_its_problem(body: JSON, problem: str) -> None:
    assert _lifted(body) == {"problem": problem}


def test_strings_are_shown_as_a_server_reads_them_wherever_they_stand() -> None:
    query = r'''query A($v: S = "\u0041") @d(e: "\u{42}") { a(b: "\"", c: [{d: "\\n"}, 1, ENUM]) ...F }
    query B { b(c: """
      block \"""
        two
    """) }
    fragment F on Q { ... @d(e: "\/") { f(g: "") } }'''
    shown = _lifted({"query": query, "operationName": "A"})
    assert isinstance(shown, dict)
    literals = shown.pop("literals")
    assert isinstance(literals, list)
    assert sorted(map(str, literals)) == sorted(["A", "B", '"', "\\n", 'block """\n  two', "/", ""])
    assert shown == {"operation": "query", "name": "A", "root_fields": ["a", "f"]}
    assert _lifted({"query": query}) == {"problem": "operation", "literals": literals}


@pytest.mark.parametrize(
    ("name", "in_url"),
    [
        ("query", True),
        ("operationName", True),
        ("OPERATIONNAME", True),
        ("variables[id]", True),
        (" extensions", True),
        ("[query]", True),
        ("[variables][id]", True),
        ("variables]", True),
        ("query\0x", True),
        ("filter[query]", False),
        ("[q][query]", False),
        ("q", False),
        ("queries", False),
        ("", False),
    ],
)
def test_a_parameter_of_the_url_is_one_of_graphql_in_any_spelling(name: str, in_url: bool) -> None:  # noqa: FBT001 - pytest's
    assert is_in_url(["page", name]) is in_url


def test_beside_such_a_parameter_no_operation_is_shown_and_digits_stay() -> None:
    lifted = (
        b'{"operation":"query","name":"A","root_fields":["a"],"literals":["x"],"variables":{"n":9007199254740993.10}}'
    )
    assert beside_url(lifted) == b'{"problem":"url","literals":["x"],"variables":{"n":9007199254740993.10}}'
    assert beside_url(b'{"problem":"document"}') == b'{"problem":"url"}'


def test_variables_are_shown_beside_a_problem() -> None:
    assert _lifted({"query": "{a", "variables": {"b": 1}}) == {"problem": "document", "variables": {"b": 1}}


@pytest.mark.parametrize(
    "body",
    [
        {"query": "shoes"},
        {"query": "queryx {a}"},
        {"query": ""},
        {"query": {"match_all": {}}},
        {"query": None},
        {"a": {"query": "{a}"}},
        [{"query": "{a}"}],
        {"extensions": {"persistedQuery": {}}},
    ],
)
def test_other_json_is_not_taken_for_it(body: JSON) -> None:
    assert _lifted(body) is None


def test_a_document_alone_is_a_text_and_lifted() -> None:
    shown = b'{"operation":"query","root_fields":["a"]}'
    assert decode(b"{a}", DOCUMENT, LIMITS) == Decoded(text="{a}", lifted=(("graphql", shown),))
    assert decode(b"query A{a} query B{b}", DOCUMENT, LIMITS).lifted == (("graphql", b'{"problem":"operation"}'),)


def test_a_document_alone_that_cannot_be_read_is_denied_by_name() -> None:
    for data in (b"{a", b"shoes", b"{a}" * 1_000):
        with pytest.raises(Malformed):
            decode(data, DOCUMENT, LIMITS)
    with pytest.raises(TypeMismatch):
        decode(b'{"query":"{a}"}', DOCUMENT, LIMITS)
    with pytest.raises(Undecodable):
        decode(b"{a}\xff", DOCUMENT, LIMITS)


_TOKENS = [
    "query",
    "mutation",
    "fragment F on T",
    "{",
    "}",
    "a",
    "...F",
    "...",
    "(b:1)",
    "@c",
    "#x\n",
    '"',
    "$",
    ":",
    " ",
]


@given(st.lists(st.sampled_from(_TOKENS), max_size=12).map(" ".join), st.text(max_size=2) | st.none())
def test_no_query_makes_the_body_around_it_unreadable(query: str, name: str | None) -> None:
    _lifted({"query": query, "operationName": name})
