import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.request_line import parsed_path, parsed_query


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


@given(st.text())
def test_no_path_raises(path: str) -> None:
    assert parsed_path(path)
    assert isinstance(parsed_query(path), dict)
