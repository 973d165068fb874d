"""Bodies into what a policy reads: one table from media type to parser, one module per format."""

from extproc.core.decoding import form, json, text
from extproc.core.decoding.decoded import Decoded, Parser
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits

_PARSERS: dict[str, Parser] = {
    "": text.undeclared,
    "application/json": json.parse,
    "application/x-www-form-urlencoded": form.parse,
    "text/json": json.parse,  # WHATWG MIME Sniffing, section 4.6: a JSON MIME type
    "text/plain": text.plain,
}


def parser_for(media_type: str) -> Parser | None:
    """The parser of a lower-case media type without parameters; None where the type is opaque to us."""
    if media_type.endswith("+json"):  # RFC 6839 section 3.1
        return json.parse
    return _PARSERS.get(media_type) or (text.other if media_type.startswith("text/") else None)


def decode(data: bytes, media: MediaType, limits: Limits) -> Decoded:
    """What the policy gets to read of a whole body without content coding.  Raises a BodyError."""
    parser = parser_for(media.name)
    return parser(data, media, limits) if parser else Decoded()
