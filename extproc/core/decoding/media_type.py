"""Content-Type as RFC 9110 writes it (section 8.3.1), and nothing looser: two readers must not see two types."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from extproc.core.headers import HeaderMap

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Without the asterisk of RFC 2231 (`charset*=us-ascii''utf-7`, `boundary*0=x`), which some readers undo.
_NAME = rb"[!#$%&'+.^_`|~0-9A-Za-z-]+"
# Without quoted pairs: readers that split at quotes, and there are many, keep the backslash or end at `\"`.
_QUOTED = rb'"[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]*+"'
# Possessive quantifiers: a space belongs to one place only, so a hostile header costs linear time.
# Without empty parameters, but for one at the end: to Go a header with another is no media type.
_MEDIA_TYPE = re.compile(
    rb"(?P<name>%(token)s/%(token)s)"
    rb"(?P<parameters>(?:[ \t]*+;[ \t]*+%(name)s=(?:%(token)s|%(quoted)s))*+)(?:[ \t]*+;)?+[ \t]*+"
    % {b"name": _NAME, b"token": _TOKEN, b"quoted": _QUOTED}
)
_PARAMETER = re.compile(rb";[ \t]*+(%b)=(%b|%b)" % (_NAME, _TOKEN, _QUOTED))
_UTF8 = frozenset({"", "utf-8", "utf8"})


@dataclass(frozen=True, slots=True)
class MediaType:
    """`name` and the parameter names are lower-case; `name` is empty where there is no Content-Type at all."""

    name: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def charset(self) -> str:
        """The declared charset in lower case, empty where there is none."""
        return self.parameters.get("charset", "").lower()

    @property
    def is_utf8(self) -> bool:
        """Whether the charset is UTF-8, by name or by saying nothing."""
        return self.charset in _UTF8


def declared(headers: HeaderMap) -> MediaType | None:
    """The one media type that the headers declare.

    None where no single type can be read: the header is repeated (even with equal values), is a list, is empty or is
    not a media type, names a parameter twice or with an asterisk, writes one with a backslash, or has `;;`.  Such a
    message may be read as any type, so it is `type_mismatch`.
    """
    match headers.values("content-type"):
        case ():
            return MediaType()
        case (value,):
            return parse(value)
        case _:
            return None


def parse(value: bytes) -> MediaType | None:
    """The media type that one header value is, or None."""
    match = _MEDIA_TYPE.fullmatch(value.strip(b" \t"))
    if match is None:
        return None
    pairs = _PARAMETER.findall(match["parameters"])
    parameters = {name.decode().lower(): _unquoted(text) for name, text in pairs}
    if len(parameters) != len(pairs):
        return None
    return MediaType(match["name"].decode().lower(), parameters)


def _unquoted(text: bytes) -> str:
    return text.strip(b'"').decode("latin-1")
