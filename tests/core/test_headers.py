import pytest

from extproc.core.headers import NO_HEADERS, NO_MUTATION, HeaderMap, HeaderMutation, header_text

HEADERS = HeaderMap((("a", b"1"), ("b", b"\xe9"), ("a", b"\xc3\xa9")))


def test_every_value_of_a_name_is_there_in_order() -> None:
    assert (HEADERS.values("a"), HEADERS.values("c")) == ((b"1", b"\xc3\xa9"), ())
    assert (HEADERS.first("a"), HEADERS.first("c")) == (b"1", None)
    assert list(HEADERS) == [("a", b"1"), ("b", b"\xe9"), ("a", b"\xc3\xa9")]


def test_a_value_reads_as_utf8_or_else_as_latin_1() -> None:
    assert HEADERS.texts() == {"a": ["1", "é"], "b": ["é"]}
    assert [HEADERS.text(name) for name in ("a", "b", "c")] == ["1", "é", ""]


@pytest.mark.parametrize(
    ("value", "text", "utf8"),
    [
        (b"", "", True),
        (b"\xf0\x9f\x94\x92", "\U0001f512", True),
        (b"\xed\xa0\x80", "\xed\xa0\x80", False),
        (b"\xc0\xaf", "\xc0\xaf", False),
    ],
)
def test_no_value_is_lost_or_guessed(value: bytes, text: str, utf8: bool) -> None:  # noqa: FBT001 - the value
    headers = HeaderMap((("a", value), ("b", b"b")))
    assert (header_text(value), headers.odd_names()) == (text, set() if utf8 else {"a"})


def test_names_are_found_by_their_beginning_each_once() -> None:
    headers = HeaderMap((("x-a", b""), ("y", b""), ("x-a", b""), ("x-", b"")))
    assert (headers.names("x-"), headers.names("z")) == (("x-a", "x-"), ())


def test_two_maps_are_equal_where_their_fields_are_the_same_in_the_same_order() -> None:
    assert HeaderMap(HEADERS.pairs) == HEADERS
    assert hash(HEADERS) == hash(HeaderMap(HEADERS.pairs))
    assert HeaderMap(HEADERS.pairs[::-1]) != HEADERS
    assert HeaderMap() == NO_HEADERS


def test_mutations_add_up_in_order() -> None:
    one = HeaderMutation(set=(("a", b"1"),), remove=("b",))
    two = HeaderMutation(set=(("c", b"2"),), append=(("a", b"3"),), remove=("d",))
    assert one + two == HeaderMutation((("a", b"1"), ("c", b"2")), (("a", b"3"),), ("b", "d"))
    assert one + NO_MUTATION == one
    assert one.setting(("c", b"2")) == one + HeaderMutation(set=(("c", b"2"),))
