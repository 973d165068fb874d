import posixpath
from urllib.parse import parse_qs, quote, quote_plus, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.request_line import parsed_path, parsed_query, path_flags, query_flags

LINES = st.text("ab./\\%25fFcC0;?&=+#é ", max_size=24) | st.text(max_size=24)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("/", [""]),
        ("", [""]),
        ("*", ["*"]),
        ("/a/b", ["a", "b"]),
        ("/a/b/", ["a", "b", ""]),
        ("/a//b", ["a", "", "b"]),
        ("/a%2Fb/%c3%A9+", ["a", "b", "é+"]),
        ("/a;b=c?d/e?f", ["a;b=c"]),
        ("/%3Fa%23", ["?a#"]),
        ("/%2e%2E/a", ["..", "a"]),
        # differences from Go's net/url
        ("/a%zz%", ["a%zz%"]),
        ("//admin/a", ["admin", "a"]),
        ("///", [""]),
        ("/a#b", ["a#b"]),
        ("/%ff", ["\ufffd"]),
    ],
)
def test_a_path_is_decoded_and_then_split(path: str, segments: list[str]) -> None:
    assert parsed_path(path) == segments


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/a", {}),
        ("/a?", {}),
        ("/a?b=1&c=2&b=3", {"b": ["1", "3"], "c": ["2"]}),
        ("/a?b&c=&=d&&", {"b": [""], "c": [""], "": ["d"]}),
        ("/a?b=c+d%2B%c3%a9&e%26=f=g?h", {"b": ["c d+é"], "e&": ["f=g?h"]}),
        # differences from Go's net/url
        ("/a?b=%zz&c=%", {"b": ["%zz"], "c": ["%"]}),
        ("/a?b=1;c=2", {"b": ["1;c=2"]}),
        ("/a?b=%ff", {"b": ["\ufffd"]}),
    ],
)
def test_a_query_is_every_value_of_every_name_in_order(path: str, query: dict[str, list[str]]) -> None:
    assert parsed_query(path) == query


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        ("/", []),
        ("/a/b.c/...", []),
        ("/.well-known/a..b/", []),
        ("/a?//..;%zz\\", []),
        ("/%C3%A9+%20%41%25/", []),
        ("", ["not_origin_form"]),
        ("*", ["not_origin_form"]),
        ("a:80", ["not_origin_form"]),
        ("http://a/b", ["empty_segment", "not_origin_form"]),
        ("//a", ["empty_segment"]),
        ("/a//", ["empty_segment"]),
        ("/a/./b", ["dot_segment"]),
        ("/a/..", ["dot_segment"]),
        ("..", ["dot_segment", "not_origin_form"]),
        ("/%2e%2E/a", ["dot_segment"]),
        ("/a/.%2e", ["dot_segment"]),
        ("/a/..;x/b", ["dot_segment", "path_parameter"]),
        ("/a\\b", ["backslash"]),
        ("/a\\..\\b", ["backslash", "dot_segment"]),
        ("/a%2fb%5C", ["encoded_slash"]),
        ("/a%2F%2e%2e%2Fb", ["dot_segment", "encoded_slash"]),
        ("/a%2F/b", ["empty_segment", "encoded_slash"]),
        ("/a;b=c", ["path_parameter"]),
        ("/a%3bb", ["path_parameter"]),
        ("/..%3B/a", ["dot_segment", "path_parameter"]),
        ("/a%3F%23", ["encoded_delimiter"]),
        ("/a#b?c", ["fragment"]),
        ("/a%", ["bad_escape"]),
        ("/a%u002f", ["bad_escape"]),
        ("/a%2", ["bad_escape"]),
        ("/%252e%252e/a", ["double_encoding"]),
        ("/a%25%32%66", ["double_encoding"]),
        ("/a%00", ["control_character"]),
        ("/a%0d%0A", ["control_character"]),
        ("/a%c2%85", ["control_character"]),
        ("/%ff", ["not_utf8"]),
        ("/%c0%af", ["not_utf8"]),
        ("/%c0%ae%c0%ae/a", ["not_utf8"]),
        ("/%ed%a0%80", ["not_utf8"]),
        ("/é", ["not_ascii"]),
    ],
)
def test_a_path_that_can_be_read_in_two_ways_says_why(path: str, flags: list[str]) -> None:
    assert path_flags(path) == flags


@pytest.mark.parametrize(
    ("path", "flags"),
    [
        ("/a", []),
        ("/a//;%zz", []),
        ("/a?", []),
        ("/a?b=1&c&d==?/+%2B%26%3d%2F..%C3%A9", []),
        ("/a?b=%0D%0A%09", []),
        ("/a?b=1&%62=2", ["repeated_name"]),
        ("/a?b=1;c=2", ["semicolon"]),
        ("/a?b=%3B", []),
        ("/a?b#c", ["fragment"]),
        ("/a?b=%&c=%zz", ["bad_escape"]),
        ("/a?b=%2541", ["double_encoding"]),
        ("/a?b=%00", ["control_character"]),
        ("/a?b=%ff", ["not_utf8"]),
        ("/a?b=%c3&c=%a9", ["not_utf8"]),
        ("/a?b=ÿ", ["not_ascii"]),
    ],
)
def test_a_query_that_can_be_read_in_two_ways_says_why(path: str, flags: list[str]) -> None:
    assert query_flags(path, parsed_query(path)) == flags


@given(LINES)
def test_no_path_raises(path: str) -> None:
    query = parsed_query(path)
    assert parsed_path(path)
    assert path_flags(path) == sorted(set(path_flags(path)))
    assert query_flags(path, query) == sorted(set(query_flags(path, query)))


@given(LINES)
def test_a_path_without_a_flag_is_read_by_all_in_the_same_way(path: str) -> None:
    """Decoding twice, resolving dots and slashes, and writing it anew change nothing about it."""
    raw = path.partition("?")[0]
    if path_flags(path):
        return
    segments = parsed_path(path)
    decoded = "/" + "/".join(segments)
    assert decoded == unquote(raw) == unquote(decoded)
    assert posixpath.normpath(decoded) == (decoded.rstrip("/") or "/")
    assert [unquote(segment) for segment in raw[1:].split("/")] == segments
    assert parsed_path(quote(decoded)) == segments


@given(LINES)
def test_a_query_is_what_a_form_reader_finds(path: str) -> None:
    assert parsed_query(path) == parse_qs(path.partition("?")[2], keep_blank_values=True)


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), min_size=1, max_size=5))
def test_a_query_gives_back_what_was_written_into_it(pairs: list[tuple[str, str]]) -> None:
    path = "/?" + "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    assert [(name, value) for name, values in parsed_query(path).items() for value in values] == sorted(
        pairs, key=lambda pair: [name for name, _ in pairs].index(pair[0])
    )


@given(st.lists(st.text(st.characters(min_codepoint=0x21, exclude_categories=["Cs", "Cc"]), max_size=5), max_size=4))
def test_a_path_gives_back_the_segments_that_were_written_into_it_or_is_flagged(segments: list[str]) -> None:
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    assert path_flags(path) or parsed_path(path) == (segments or [""])
