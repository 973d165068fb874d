"""XML 1.0 with namespaces, without DTD: so there are no entities but the five, no expansion and nothing to fetch.

expat (in the standard library) reads it, by callbacks: a document type declaration is refused where it begins.  Also
refused: processing instructions, and comments in an element that has text, which readers join, cut or skip.
"""

from typing import TypeAlias
from xml.parsers import expat

import orjson

from extproc.core.decoding import json
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, OverLimit, TypeMismatch, Undecodable

_DEEPEST = 120  # a level of elements is two of JSON, and orjson writes 254
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")

Children: TypeAlias = list["str | Element"]
Element: TypeAlias = dict[str, "str | dict[str, str] | Children"]


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """The root as {name, attributes, children}: children are texts and elements, in order.

    Names in a namespace are written `{uri}local`; declarations of namespaces are no attributes.  Raises Undecodable for
    another charset than UTF-8, in the header or in the document; TypeMismatch where the body is a JSON object or array;
    OverLimit where the names, with a namespace for each, come to more than `Limits.decoded_bytes`; else Malformed, also
    for elements deeper than `Limits.depth` and for more than `Limits.nodes` elements and attributes.
    """
    if not media.is_utf8 or data.startswith(_UTF16):
        raise Undecodable("XML in a charset other than UTF-8")
    if json.is_container(data, limits):
        raise TypeMismatch("JSON under another declared type")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise Undecodable("XML that is not UTF-8") from None
    return Decoded(parsed=orjson.dumps(_Tree(limits).read(data)))


class _Tree:
    """What expat's callbacks have built so far: the children of each open element, outermost first."""

    def __init__(self, limits: Limits) -> None:
        self._depth = min(limits.depth, _DEEPEST)
        self._nodes = limits.nodes
        self._name_bytes = limits.decoded_bytes
        self._open: list[Children] = [[]]
        self._commented = [False]
        self._texts: list[str] = []

    def read(self, data: bytes) -> str | Element:
        """The root element.  Raises Malformed, and Undecodable for another encoding."""
        parser = expat.ParserCreate("utf-8", "}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._texts.append
        parser.CommentHandler = self._comment
        parser.XmlDeclHandler = _declaration
        parser.StartDoctypeDeclHandler = _doctype
        parser.ProcessingInstructionHandler = _instruction
        try:
            parser.Parse(data, True)  # noqa: FBT003 - the last piece; expat takes no keyword
        except expat.ExpatError:
            raise Malformed("no well-formed XML") from None
        return self._open[0][0]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._nodes -= 1 + len(attributes)
        if len(self._open) > self._depth or self._nodes < 0:
            raise Malformed("nested too deeply, or too many elements and attributes")
        self._name_bytes -= len(name) + sum(map(len, attributes))  # one long namespace, and a short prefix many times
        if self._name_bytes < 0:
            raise OverLimit("namespaces that come to more bytes than allowed")
        self._end_text()
        children: Children = []
        named = {_clark(key): value for key, value in attributes.items()}
        self._open[-1].append({"name": _clark(name), "attributes": named, "children": children})
        self._open.append(children)
        self._commented.append(False)

    def _end(self, _name: str) -> None:
        self._end_text()
        children = self._open.pop()
        if self._commented.pop() and any(isinstance(child, str) and not child.isspace() for child in children):
            raise Malformed("a comment in an element with text")

    def _end_text(self) -> None:
        if self._texts:
            self._open[-1].append("".join(self._texts))
            self._texts.clear()

    def _comment(self, _text: str) -> None:
        self._commented[-1] = True


def _clark(name: str) -> str:
    """`{uri}local`, as ElementTree and XPath tools write it; expat leaves the first brace to us."""
    return "{" + name if "}" in name else name


def _declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if version != "1.0":
        raise Malformed("another version of XML than 1.0")
    if encoding is not None and encoding.lower() != "utf-8":
        raise Undecodable("XML in a charset other than UTF-8")


def _doctype(_name: str, _system: str | None, _public: str | None, _internal: int) -> None:
    raise Malformed("a document type declaration")


def _instruction(_target: str, _data: str) -> None:
    raise Malformed("a processing instruction")
