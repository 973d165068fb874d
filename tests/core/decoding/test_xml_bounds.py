"""What an XML body may make its reader build is bounded before it is built."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.media_type import MediaType
from extproc.core.inspection import State
from extproc.core.rules import Limits
from extproc.errors import Malformed, OverLimit

MEDIA = MediaType("application/xml")
LIMITS = Limits(depth=3, nodes=6)
XML = "{http://www.w3.org/XML/1998/namespace}"


def test_one_long_namespace_under_many_short_names_is_over_the_limit() -> None:
    data = b"<a xmlns='" + b"u" * 100 + b"'><b/><b c='1'/></a>"
    assert decode(data, MEDIA, Limits(decoded_bytes=300)).parsed
    with pytest.raises(OverLimit):
        decode(data, MEDIA, Limits(decoded_bytes=299))


@pytest.mark.parametrize(
    "declaration",
    [
        b"xmlns:p='%b'",
        b'xmlns:p = "%b"',
        b"xmlns:p\n=\t'%b'",
        b"b='xmlns=\"' xmlns:p='%b'",
        b'b="xmlns:p=" xmlns:p="%b"',
        b"xmlns:q='' xmlns:p='%b'",
        b"c='<' xmlns:p='%b'".replace(b"<", b"&lt;"),
    ],
)
def test_one_long_namespace_on_many_attributes_is_over_the_limit_before_it_is_written_out(declaration: bytes) -> None:
    attributes = b" ".join(b"p:a%d=''" % number for number in range(10_000))
    data = b"<a " + declaration % (b"u" * 20_000) + b" " + attributes + b"/>"
    tracemalloc.start()  # expat allocates by Python
    with pytest.raises(OverLimit):
        decode(data, MEDIA, Limits())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@given(length=st.integers(0, 300), prefixed=st.integers(0, 20), plain=st.integers(0, 20))
def test_the_names_of_what_is_read_are_within_the_limit(length: int, prefixed: int, plain: int) -> None:
    attributes = [f"p:a{number}='{number}'" for number in range(prefixed)]
    attributes += [f"b{number}='{number}'" for number in range(plain)]
    data = f"<a xmlns:p='{'u' * (length + 1)}' {' '.join(attributes)}><p:b/></a>".encode()
    limits = Limits(decoded_bytes=2_000)
    try:
        parsed = decode(data, MEDIA, limits).parsed
    except OverLimit:
        assert (prefixed + 3) * max(length + 1, len(XML) - 2) > limits.decoded_bytes
    else:
        assert parsed is not None
        assert len(parsed) - 60 * (prefixed + plain + 2) <= limits.decoded_bytes


CROWD = Limits(nodes=60, names=40)


def _tag(names: str, number: int, quote: str = "'") -> str:
    return " ".join(f"{names}{n}={quote}>{n}{quote}" for n in range(number))


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("before", ["", "<b/>", "<b>" + "x" * 700 + "</b>", "<b c='>'/>" * 9, "<!-- > -->"])
def test_one_element_of_too_many_attributes_is_refused_before_they_are_built(quote: str, before: str) -> None:
    data = f"<a>{before}<c {_tag('d', 200_000, quote)}/></a>".encode()
    tracemalloc.start()
    with pytest.raises(Malformed):
        decode(data, MEDIA, CROWD)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(data)


@pytest.mark.parametrize("offset", range(0, 1_200, 37))
def test_the_bound_is_exact_wherever_the_element_stands(offset: int) -> None:
    """Past it, the attribute that stands there twice would be refused instead, and later."""
    attribute = " d=''"
    for number, reason in ((101, "an element of too many attributes"), (100, "no well-formed XML")):
        with pytest.raises(Malformed, match=reason):
            decode(f"<a>{'x' * offset}<b/><c{attribute * number}/></a>".encode(), MEDIA, CROWD)


def test_an_element_may_have_all_declarations_and_names_that_a_document_may_have() -> None:
    declared = "".join(f" xmlns:p{n}='>'" for n in range(60))
    data = f"<a{declared} {_tag('d', 39)}/>".encode()
    assert decode(data, MEDIA, CROWD).state is State.COMPLETE


@pytest.mark.parametrize(
    "content",
    [
        '"a=b" ' * 600,
        "<!-- " + "'a' " * 600 + "-->",
        "<![CDATA[" + '{"a":"b"} ' * 600 + "]]>",
        "<b c='" + '" d="' * 600 + "'/>",
        "<b c='d'>" + "'" * 2_000 + "</b>",
    ],
)
def test_quotes_that_are_no_attributes_do_not_count(content: str) -> None:
    assert decode(f"<a>{content}</a>".encode(), MEDIA, CROWD).state is State.COMPLETE


def test_more_declarations_of_namespaces_than_nodes_are_malformed() -> None:
    few = Limits(nodes=2)
    assert decode(b"<a xmlns='u' xmlns:b='v'/>", MEDIA, few).parsed
    with pytest.raises(Malformed, match="namespaces"):
        decode(b"<a xmlns='u' xmlns:b='v' xmlns:c='w'/>", MEDIA, few)


def test_more_different_names_than_allowed_are_malformed_and_the_same_ones_again_are_not() -> None:
    few = Limits(names=3)
    assert decode(b"<a><b c='1'/><b c='2'/><a/></a>", MEDIA, few).parsed
    with pytest.raises(Malformed, match="too many names"):
        decode(b"<a><b c='1'/><b d='2'/></a>", MEDIA, few)
    with pytest.raises(Malformed, match="too many names"):
        decode(b"<a><b c='1'/><d/></a>", MEDIA, few)
