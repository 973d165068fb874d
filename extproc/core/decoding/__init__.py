"""Bodies into what a policy reads: one table from media type to parser, one module per format."""

from extproc.core.decoding import form, grpc, json, multipart, ndjson, text, xml
from extproc.core.decoding.decoded import Decoded, Parser
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import TypeMismatch

_PARSERS: dict[str, Parser] = {
    "": text.undeclared,
    "application/graphql": text.graphql_document,
    "application/grpc": grpc.parse,
    "application/json": json.parse,
    "application/json-rpc": json.parse,
    "application/jsonl": ndjson.parse,
    "application/jsonlines": ndjson.parse,
    "application/ndjson": ndjson.parse,
    "application/x-jsonlines": ndjson.parse,
    "application/x-ndjson": ndjson.parse,
    "application/x-www-form-urlencoded": form.parse,
    "application/xml": xml.parse,
    "multipart/form-data": multipart.parse,
    "text/css": text.other,
    "text/csv": text.other,
    "text/html": text.other,
    "text/javascript": text.other,
    "text/json": json.parse,  # WHATWG MIME Sniffing, section 4.6: a JSON MIME type
    "text/markdown": text.other,
    "text/plain": text.plain,
    "text/tab-separated-values": text.other,
    "text/xml": xml.parse,
}
_FAMILIES: dict[str, Parser | None] = {
    "application/grpc+": grpc.parse,  # the suffix says what is in the frames
    "application/grpc-web": None,  # frames of another kind, or base64 of them
}
"""Types that begin so, before anything is read from their ends."""
_SUFFIXES: dict[str, Parser] = {
    "+json": json.parse,  # RFC 6839 section 3.1
    "+xml": xml.parse,  # RFC 7303 section 8
}


def parser_for(media_type: str) -> Parser | None:
    """The parser of a lower-case media type without parameters; None where the type is opaque to us."""
    if parser := _PARSERS.get(media_type):
        return parser
    for prefix, family in _FAMILIES.items():
        if media_type.startswith(prefix):
            return family
    _, plus, suffix = media_type.rpartition("+")
    return _SUFFIXES.get(plus + suffix)


def decode(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """What the policy gets to read of a whole body without content coding.  Raises a BodyError.

    JSON under a type that is opaque to us is a TypeMismatch: not every upstream looks at the type before it reads.
    """
    if parser := parser_for(media.name):
        return parser(data, media, limits)
    if json.is_container(data, limits):
        raise TypeMismatch("JSON under another declared type")
    return Decoded()
