"""JSON (RFC 8259) as strictly as I-JSON (RFC 7493): a text that any two readers might take differently is `malformed`.

Refused beyond the grammar: a byte order mark and every charset but UTF-8; a name twice in one object, compared after
unescaping; escaped lone surrogates; a number outside the float64 range, or written so long that readers differ; nesting
deeper than `Limits.depth`; more than about `Limits.values` values, or lists and objects too close to each other (see
`bound`).  Accepted: integers beyond 2^53 (the policy engine gets the original digits) and any scalar at the top.

How: orjson reads the text.  It is strict on all of the grammar, UTF-8 and surrogates, and never recurses beyond 1,024
levels; but a later duplicate name silently replaces an earlier one.  So its tree is written back, and unless that gives
the very same bytes, the names in both texts are counted: fewer names in the tree is a duplicate.  Depth and number
length are read off the text outside of its strings.  All of it is linear in the bytes, in C.  Most texts need less: a
look that takes strings for what they are not can only suspect too much.
"""

from array import array
from collections.abc import Callable
from itertools import accumulate
from typing import TypeAlias

import orjson

from extproc.core.decoding import graphql, jsonrpc, lenient_json, members
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.inspection import Lifted
from extproc.core.rules import Limits
from extproc.errors import Malformed, Undecodable

Lifter: TypeAlias = Callable[[object], bytes]

_STARTS = (b",", b"[", b"{")
_LENIENT = object()
_DEEPEST = 250  # orjson writes 254 levels
# 5e-324 written out has 1,074 decimals, and no float64 needs more; readers with exact decimals take quadratic time.
_LONG = b"0" * 1_100
# Past the float64 range a four-digit exponent can only say zero; Go's big.Float has no value for the larger ones.
_EXPONENT = b"e0000"
_ALIKE = bytes.maketrans(b"123456789E\t\n\r", b"000000000e   ")
_SIGNS = b"+-"
_BRACKETS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """The very bytes, once they are known to read in one way.  Raises Malformed, and Undecodable for other charsets."""
    if not media.is_utf8:
        raise Undecodable("JSON in a charset other than UTF-8")
    tree = _tree(data, limits)
    check(data, tree, limits)
    lifters = _lifters(data, tree, limits)
    del tree
    return Decoded(parsed=data, lifted=_lifted(data, lifters, limits))


def read(data: bytes, limits: Limits) -> object:
    """The value itself, by the same rules.  Raises Malformed."""
    tree = _tree(data, limits)
    check(data, tree, limits)
    return tree


def sniff(data: bytes, limits: Limits) -> Decoded | None:
    """As `parse` where the bytes are a JSON object or array though no JSON type was declared, else None.

    Raises Malformed for one that breaks our rules, and for what only a lenient reader takes for one: whoever reads it
    would see what the policy did not.
    """
    tree = _container(data, limits)
    if tree is None:
        return None
    if tree is _LENIENT:
        raise Malformed("JSON to lenient readers alone")
    check(data, tree, limits)
    lifters = _lifters(data, tree, limits)
    del tree
    return Decoded(parsed=data, sniffed=True, lifted=_lifted(data, lifters, limits))


def _lifters(data: bytes, tree: object, limits: Limits) -> dict[str, Lifter]:
    """The protocols that a body speaks, by a look.  What they lift needs another tree: let go of this one first."""
    lifters: dict[str, Lifter] = {}
    if not limits.lifts:
        return lifters
    if jsonrpc.is_spoken(data, tree, limits):
        lifters["jsonrpc"] = jsonrpc.lift
    if graphql.is_spoken(tree):
        lifters["graphql"] = graphql.lift
    return lifters


def _lifted(data: bytes, lifters: dict[str, Lifter], limits: Limits) -> Lifted:
    """Raises Malformed for more than about `Limits.nodes` values: they are read a second time, and slower."""
    if not lifters:
        return ()
    if sum(map(data.count, _STARTS)) > limits.nodes:
        raise Malformed("too many values for JSON-RPC or GraphQL")
    body = members.exact(data)
    return tuple([(name, lift(body)) for name, lift in lifters.items()])


def is_container(data: bytes, limits: Limits) -> bool:
    """Whether some reader takes the bytes, or their beginning, for a JSON object or array.

    Raises Malformed where they begin like one and are too much to find out.
    """
    return _container(data, limits) is not None


def _container(data: bytes, limits: Limits) -> object:
    """The tree of an object or array, _LENIENT where only others read one, None where nobody does."""
    texts = lenient_json.texts_of(data)
    if not texts:
        return None
    bound(data, limits)
    try:
        tree: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        return _LENIENT if any(map(lenient_json.is_container, texts)) else None
    return tree


def _tree(data: bytes, limits: Limits) -> object:
    bound(data, limits)
    try:
        tree: object = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise Malformed("no JSON text") from None
    return tree


def bound(data: bytes, limits: Limits, *, lines: int = 0) -> None:
    """Refuse what would be a tree of very many values: each costs some 100 ns to build, and 100 bytes.

    A list costs ten times as much as a number, and so does each of `lines` that are read one by one; an object twenty
    times.  Of these there may be `Limits.containers`, an object counted twice, and in longer texts one for each four
    bytes.  What stands inside of strings counts too, so that one look is enough.
    """
    commas, lists, objects = map(data.count, _STARTS)
    if max(lines, commas + lists + objects) > limits.values:
        raise Malformed("too many values")
    if lines + lists + 2 * objects > max(limits.containers, len(data) // 4):
        raise Malformed("too many lists and objects for so few bytes")


def check(data: bytes, tree: object, limits: Limits, *, levels: int = 0) -> None:
    """Hold a text, and what orjson read from it, to the rules beyond the grammar.  Raises Malformed.

    `levels` of nesting are not the sender's and come on top of `Limits.depth`.
    """
    depth = min(limits.depth + levels, _DEEPEST)
    if not _harmless(data, tree, depth):
        _check_closely(data, tree, depth)


def _harmless(data: bytes, tree: object, depth: int) -> bool:
    """Whether the whole text shows at a glance that no rule is broken, not even inside of strings.

    Without escapes and without space before colons, a quote and a colon end a name or begin a string: with the same
    number of them in the tree, nothing was replaced.
    """
    if b"\\" in data or data.count(b"{") + data.count(b"[") > depth:
        return False
    alike = data.translate(_ALIKE, _SIGNS)
    if b" :" in alike or _LONG in alike or _EXPONENT in alike:
        return False
    return data.count(b'":') == orjson.dumps(tree).count(b'":')


def _check_closely(data: bytes, tree: object, depth: int) -> None:
    outside = _outside_strings(data)
    alike = outside.translate(_ALIKE, _SIGNS)
    if _LONG in alike or _EXPONENT in alike:
        raise Malformed("a number that has no single value")
    steps = array("b", outside.translate(_BRACKETS, _NO_BRACKETS))
    if max(accumulate(steps), default=0) > depth:
        raise Malformed("nested too deeply")
    again = orjson.dumps(tree)
    if again != data and outside.count(b":") != _outside_strings(again).count(b":"):
        raise Malformed("a name twice in one object")


def _outside_strings(text: bytes) -> bytes:
    """A valid JSON text with the content of its strings left out."""
    if b"\\" in text:  # inside of strings only; pairs of them first, so that what remains before a quote escapes it
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b'"'.join(text.split(b'"')[::2])
