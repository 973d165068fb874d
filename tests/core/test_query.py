from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.headers import header_text
from extproc.core.query import NO_QUERY_MUTATION, QueryMutation, rewritten
from extproc.core.request_line import parsed_query


@pytest.mark.parametrize(
    ("path", "mutation", "after"),
    [
        (b"/a", QueryMutation(set=(("b", ("c",)),)), b"/a?b=c"),
        (b"/a?b=1&b=2&c=3", QueryMutation(set=(("b", ("4", "5")),)), b"/a?c=3&b=4&b=5"),
        (b"/a?b=1&c&&=d", QueryMutation(remove=("b",)), b"/a?c&=d"),
        (b"/a?b=1", QueryMutation(remove=("b",)), b"/a"),
        (b"/a?x+y=1&%62=2", QueryMutation(remove=("x y", "b")), b"/a"),
        (b"/a?b=1&b", QueryMutation(remove=("b",)), b"/a"),
        (b"/a?c=%zz+%20", QueryMutation(set=(("b &=#", ("\r\n/é",)),)), b"/a?c=%zz+%20&b+%26%3D%23=%0D%0A%2F%C3%A9"),
        (b"/a?b=1", QueryMutation(set=(("b", ()),)), b"/a"),
        (b"/a?b?c=1?", QueryMutation(set=(("d", ("",)),)), b"/a?b?c=1?&d="),
    ],
)
def test_named_parameters_are_replaced_and_removed(path: bytes, mutation: QueryMutation, after: bytes) -> None:
    assert rewritten(path, mutation) == after


@pytest.mark.parametrize("path", [b"/\xe9?c=\xff&b=1", b"/\xc3\xa9?\xc3\xa9=\xed\xa0\x80&b=1"])
def test_bytes_that_are_not_touched_stay_the_same_bytes(path: bytes) -> None:
    assert rewritten(path, QueryMutation(remove=("b",))) == path.removesuffix(b"&b=1")


@pytest.mark.parametrize("path", ["/a?é=1&c=2".encode(), b"/a?\xe9=1&c=2"])
def test_a_name_in_raw_bytes_is_found_as_the_policy_saw_it(path: bytes) -> None:
    assert rewritten(path, QueryMutation(remove=("é",))) == b"/a?c=2"


@pytest.mark.parametrize(
    ("mutation", "changes"),
    [
        (NO_QUERY_MUTATION, False),
        (QueryMutation(set=(("a", ()),)), True),
        (QueryMutation(remove=("a",)), True),
    ],
)
def test_a_mutation_is_true_where_it_changes_something(mutation: QueryMutation, changes: bool) -> None:  # noqa: FBT001 - the value
    assert bool(mutation) is changes


@given(
    st.binary(max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    st.text("ab&=%+;", max_size=4),
)
def test_what_was_set_is_what_a_reader_finds_and_nothing_else_by_that_name(query: bytes, name: str, value: str) -> None:
    after = rewritten(b"/a?" + query, QueryMutation(set=((name, (value,)),)))
    pairs = parse_qsl(after.decode(errors="surrogateescape").partition("?")[2], keep_blank_values=True)
    assert [v for n, v in pairs if n == name] == [value]


@given(st.binary(max_size=20))
def test_a_policy_can_remove_every_name_that_it_saw(query: bytes) -> None:
    path = b"/a?" + query
    seen = parsed_query(header_text(path))
    assert parsed_query(header_text(rewritten(path, QueryMutation(remove=tuple(seen))))) == {}
