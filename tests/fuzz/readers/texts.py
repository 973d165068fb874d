"""What libraries read of JSON, XML and text."""

import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator
from typing import TypeAlias
from xml.etree import ElementTree as ET

import pydantic_core
from lxml import etree

Node: TypeAlias = str | dict[str, object]

JSON_READERS: dict[str, Callable[[bytes], object]] = {"CPython": json.loads, "jiter": pydantic_core.from_json}


def lxml(data: bytes) -> Node:
    """The root by libxml2."""
    return _element(etree.fromstring(data, etree.XMLParser(no_network=True)))


def element_tree(data: bytes) -> Node:
    """The root by the standard library."""
    return _element(ET.fromstring(data))  # noqa: S314 - the reader that we compare with


def _element(element: ET.Element | etree._Element) -> dict[str, object]:
    children: list[Node] = []
    for node in _nodes(element):
        if isinstance(node, str) and children and isinstance(children[-1], str):
            children[-1] += node
        elif node:
            children.append(node)
    return {"name": element.tag, "attributes": dict(element.attrib), "children": children}


def _nodes(element: ET.Element | etree._Element) -> Iterator[Node]:
    """Texts and elements in order; a comment is no element, and the text after it is the parent's."""
    yield element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            yield _element(child)
        yield child.tail or ""


XML_READERS: dict[str, tuple[Callable[[bytes], Node], type[Exception]]] = {
    "lxml": (lxml, etree.XMLSyntaxError),
    "ElementTree": (element_tree, ET.ParseError),
}
"""Each with its refusal."""

_WHATWG = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
    "utf-16": "utf-16-le",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_MARKS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_LE, "utf-16-le"), (BOM_UTF16_BE, "utf-16-be"))


def whatwg(data: bytes, charset: str) -> str:
    """The text to a browser (WHATWG Encoding, section 4.2 and "decode"): a byte order mark overrules the label."""
    codec = next((codec for mark, codec in _MARKS if data.startswith(mark)), _WHATWG[charset])
    return data.decode(codec).removeprefix("\ufeff")


def iana(data: bytes, charset: str) -> str:
    """The text to Python, whose codecs are as IANA registered them; a mark in UTF-8 left out, as a browser does."""
    return data.decode({"": "utf-8-sig", "utf-8": "utf-8-sig", "utf8": "utf-8-sig"}.get(charset, charset))


TEXT_READERS: dict[str, Callable[[bytes, str], str]] = {"WHATWG": whatwg, "IANA": iana}
CHARSETS = (*_WHATWG, "shift_jis")
