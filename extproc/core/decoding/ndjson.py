"""Newline-delimited JSON, also called JSON Lines: one JSON text a line, each by the rules of `json`.

Lines end in LF or CR LF; the last one may end with the body, for a reader that waits for its end sees less than the
policy and never more.  Refused: a line without a value, at which some readers stop and which others skip; a CR without
LF, which ends a line for some.
"""

import orjson

from extproc.core.decoding import json
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed, Undecodable


def parse(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """A JSON list of the lines' values, their very bytes.  Raises Malformed, and Undecodable for other charsets."""
    if not media.is_utf8:
        raise Undecodable("JSON in a charset other than UTF-8")
    if data.count(b"\r") != data.count(b"\r\n"):
        raise Malformed("a carriage return that ends no line")
    json.bound(data, limits, lines=data.count(b"\n"))
    lines = data.removesuffix(b"\n").split(b"\n")
    try:
        values = [*map(orjson.loads, lines)]
    except orjson.JSONDecodeError:
        raise Malformed("a line that is no JSON text") from None
    # Each line is one whole value, so the list of them reads as these values and can be judged at once.
    whole = b"[" + b",".join(lines) + b"]"
    json.check(whole, values, limits, levels=1)
    return Decoded(parsed=whole)
