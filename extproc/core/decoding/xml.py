"""XML 1.0 with namespaces, without DTD: so there are no entities but the five, no expansion and nothing to fetch.

expat (in the standard library) reads it, by callbacks: a document type declaration is refused where it begins.  Also
refused: processing instructions, and comments in an element that has text, which readers join, cut or skip.
"""

import re
from json.encoder import encode_basestring as _quoted
from xml.parsers import expat

from extproc.core.decoding import json
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, OverLimit, TypeMismatch, Undecodable

_DEEPEST = 120  # a level of elements is two of JSON, and orjson writes 254
_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")

_DECLARED = re.compile(rb"xmlns(?::[^\s=<>\"':/]*)?[ \t\r\n]*=[ \t\r\n]*(?=\"([^\"<]*)|'([^'<]*))")
_PREFIXED = re.compile(rb":(?=[^\s=<>\"':/]+[ \t\r\n]*=)")

_SHORTEST_ATTRIBUTE = len(b" a=''")
_CROWDED = rb"<[^!?/<>\"'\s][^<>\"']*+(?:\"[^<\"]*+\"[^<>\"']*+|'[^<']*+'[^<>\"']*+){%d}+"

_XML = "http://www.w3.org/XML/1998/namespace"  # of the prefix that nobody declares
_COMMENT, _TEXT = 1, 2


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """The root as {name, attributes, children}: children are texts and elements, in order.

    Names in a namespace are written `{uri}local`; declarations of namespaces are no attributes.  Raises Undecodable for
    another charset than UTF-8, in the header or in the document; TypeMismatch where the body is a JSON object or array;
    OverLimit where elements and prefixed attributes, each with the longest namespace, could come to more than
    `Limits.decoded_bytes`; else Malformed, also for elements deeper than `Limits.depth`, for more than `Limits.nodes`
    elements and attributes, or declarations of namespaces, and for more than `Limits.names` different names.
    """
    if not media.is_utf8 or data.startswith(_UTF16):
        raise Undecodable("XML in a charset other than UTF-8")
    if json.is_container(data, limits):
        raise TypeMismatch("JSON under another declared type")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise Undecodable("XML that is not UTF-8") from None
    if data.count(b"xmlns") > limits.nodes:  # in texts too, so that one look is enough
        raise Malformed("too many declarations of namespaces")
    if _is_crowded(data, limits.nodes + limits.names):
        raise Malformed("an element of too many attributes")
    _check_namespaces(data, limits)
    return Decoded(parsed=_Text(limits).read(data))


def _check_namespaces(data: bytes, limits: Limits) -> None:
    """Bound what expat writes out before anybody is called: the namespace of each prefixed attribute of an element.

    Whatever looks like a declaration or an attribute counts, in texts too: an estimate from above, linear in the bytes.
    """
    declared = _DECLARED.findall(data)
    longest = max([len(_XML), *(len(quoted or apostrophed) for quoted, apostrophed in declared)])
    elements = min(data.count(b"<") - data.count(b"</"), limits.nodes)
    if (elements + data.count(b"=")) * longest <= limits.decoded_bytes:  # most do not need the closer look
        return
    if (elements + len(_PREFIXED.findall(data))) * longest > limits.decoded_bytes:
        raise OverLimit("namespaces that could come to more bytes than allowed")


def _is_crowded(data: bytes, most: int) -> bool:
    """Whether an element has more attributes and declarations than `most`: expat and pyexpat build all of them first.

    Its tag has no `<` but the first.  So only stretches without one, and long enough, need the closer look, and each of
    them holds a multiple of that length.
    """
    length = most * _SHORTEST_ATTRIBUTE
    crowded = re.compile(_CROWDED % (most + 1))
    place = 0
    while place < len(data):
        start, end = data.rfind(b"<", 0, place + 1), data.find(b"<", place + 1)
        end = len(data) if end < 0 else end
        if start >= 0 and end - start >= length and crowded.match(data, start, end):
            return True
        place = -(-end // length) * length
    return False


class _Text:
    """The tree as a JSON text, written as expat's callbacks come: to build dicts and lists first takes twice the time.

    A NUL stands where a child begins, and becomes the comma between two; no text in XML or JSON can have one.
    """

    def __init__(self, limits: Limits) -> None:
        self._depth = min(limits.depth, _DEEPEST)
        self._nodes = limits.nodes
        self._most_names = limits.names
        self._names: dict[str, str] = {}  # each as a JSON string
        self._open = [0]  # for each open element, outermost first: what it has of _COMMENT and _TEXT
        self._texts: list[str] = []
        self._pieces: list[str] = []
        self._write = self._pieces.append

    def read(self, data: bytes) -> bytes:
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
        return "".join(self._pieces).replace("[\0", "[").replace("\0", ",").removeprefix(",").encode()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._nodes -= 1 + len(attributes)
        if len(self._open) > self._depth or self._nodes < 0:
            raise Malformed("nested too deeply, or too many elements and attributes")
        if self._texts:
            self._end_text()
        self._open.append(0)
        shown = self._names.get(name) or self._name(name)
        named = self._attributes(attributes) if attributes else ""
        self._write(f'\0{{"name":{shown},"attributes":{{{named}}},"children":[')

    def _attributes(self, attributes: dict[str, str]) -> str:
        known = self._names
        return ",".join([f"{known.get(key) or self._name(key)}:{_quoted(value)}" for key, value in attributes.items()])

    def _name(self, name: str) -> str:
        """`{uri}local`, as ElementTree and XPath tools write it; expat leaves the first brace to us."""
        if len(self._names) == self._most_names:  # each costs as much as an element
            raise Malformed("too many names")
        self._names[name] = shown = _quoted("{" + name if "}" in name else name)
        return shown

    def _end(self, _name: str) -> None:
        if self._texts:
            self._end_text()
        self._write("]}")
        if self._open.pop() == _COMMENT | _TEXT:
            raise Malformed("a comment in an element with text")

    def _end_text(self) -> None:
        text = "".join(self._texts)
        self._texts.clear()
        self._write("\0" + _quoted(text))
        if not text.isspace():
            self._open[-1] |= _TEXT

    def _comment(self, _text: str) -> None:
        self._open[-1] |= _COMMENT


def _declaration(version: str, encoding: str | None, _standalone: int) -> None:
    if version != "1.0":
        raise Malformed("another version of XML than 1.0")
    if encoding is not None and encoding.lower() != "utf-8":
        raise Undecodable("XML in a charset other than UTF-8")


def _doctype(_name: str, _system: str | None, _public: str | None, _internal: int) -> None:
    raise Malformed("a document type declaration")


def _instruction(_target: str, _data: str) -> None:
    raise Malformed("a processing instruction")
