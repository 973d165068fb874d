"""The request line as the policy sees it: `:path` decoded once, and what two readers of it might take differently.

`parsed_path` and `parsed_query` are opa-envoy-plugin's, which takes them from Go's net/url.  Differences, none of which
hides a byte from the policy:

- An invalid escape (`%zz`) stays as it is.  Go refuses the whole path, and drops a pair of the query in silence.
- A `;` in the query is an ordinary character.  Go drops the pair.
- `//host/a` is the path `["host", "a"]`, never a host; `#` is an ordinary character (Envoy refuses it).
- Escaped bytes that are not UTF-8 read as U+FFFD; Go turns them into the same when it writes the input document.

Envoy normalises a path before we see it (extproc.istio.connection_manager) and forwards what we see.  The flags say
what is left, or what an Envoy that normalises less lets through; docs/policies.md says who reads it differently.
"""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from urllib.parse import unquote, unquote_to_bytes

from extproc.core.headers import is_utf8


class Flag(StrEnum):
    """One way in which another reader may take a path or a query differently.

    NOT_ORIGIN_FORM (RFC 9112 section 3.2.1) to ENCODED_DELIMITER are of the path alone, FRAGMENT to NOT_ASCII of both,
    SEMICOLON and REPEATED_NAME of the query alone.
    """

    NOT_ORIGIN_FORM = "not_origin_form"
    EMPTY_SEGMENT = "empty_segment"
    DOT_SEGMENT = "dot_segment"
    BACKSLASH = "backslash"
    ENCODED_SLASH = "encoded_slash"
    PATH_PARAMETER = "path_parameter"
    ENCODED_DELIMITER = "encoded_delimiter"
    FRAGMENT = "fragment"
    BAD_ESCAPE = "bad_escape"
    DOUBLE_ENCODING = "double_encoding"
    CONTROL_CHARACTER = "control_character"
    NOT_UTF8 = "not_utf8"
    NOT_ASCII = "not_ascii"
    SEMICOLON = "semicolon"
    REPEATED_NAME = "repeated_name"


_Patterns = Sequence[tuple[Flag, re.Pattern[str]]]

_FRAGMENT = (Flag.FRAGMENT, re.compile(r"#"))
_BAD_ESCAPE = (Flag.BAD_ESCAPE, re.compile(r"%(?![0-9A-Fa-f]{2})"))
_NOT_ASCII = (Flag.NOT_ASCII, re.compile(r"[^\x00-\x7f]"))
_DOUBLE_ENCODING = (Flag.DOUBLE_ENCODING, re.compile(r"%[0-9A-Fa-f]{2}"))

# As it came.
_RAW_PATH: _Patterns = (
    (Flag.NOT_ORIGIN_FORM, re.compile(r"\A(?!/)")),
    (Flag.BACKSLASH, re.compile(r"\\")),
    (Flag.ENCODED_SLASH, re.compile(r"%(?:2[Ff]|5[Cc])")),
    (Flag.PATH_PARAMETER, re.compile(r";|%3[Bb]")),
    (Flag.ENCODED_DELIMITER, re.compile(r"%(?:3[Ff]|23)")),
    _FRAGMENT,
    _BAD_ESCAPE,
    _NOT_ASCII,
)
# Decoded once, so that an encoded dot or slash counts as one.
_DECODED_PATH: _Patterns = (
    (Flag.EMPTY_SEGMENT, re.compile(r"[/\\]{2}")),
    (Flag.DOT_SEGMENT, re.compile(r"(?:\A|[/\\])\.\.?(?:[/\\;]|\Z)")),
    _DOUBLE_ENCODING,
    (Flag.CONTROL_CHARACTER, re.compile(r"[\x00-\x1f\x7f-\x9f]")),
)
_RAW_QUERY: _Patterns = ((Flag.SEMICOLON, re.compile(r";")), _FRAGMENT, _BAD_ESCAPE, _NOT_ASCII)
# A form's text area has tabs and line breaks.
_DECODED_QUERY: _Patterns = (
    _DOUBLE_ENCODING,
    (Flag.CONTROL_CHARACTER, re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")),
)


def parsed_path(path: str) -> list[str]:
    """The decoded segments of `:path` without its query; `%2F` separates as `/` does, for Go decodes before it splits.

    Every leading slash is taken away; `/` is `[""]`.
    """
    return unquote(path.partition("?")[0]).lstrip("/").split("/")


def parsed_query(path: str) -> dict[str, list[str]]:
    """Every parameter of the query of `:path` with its values in order; a name without `=` has the value `""`."""
    values: dict[str, list[str]] = {}
    for pair in path.partition("?")[2].split("&"):
        if pair:
            name, _, value = pair.partition("=")
            values.setdefault(parameter_text(name), []).append(parameter_text(value))
    return values


def parameter_text(text: str) -> str:
    """A name or a value of a query, decoded: `+` is a space, as in a form."""
    return unquote(text.replace("+", " "))


def path_flags(path: str) -> list[str]:
    """What is ambiguous about the path of `:path`, each word once and in alphabetical order; empty for a plain path."""
    return sorted(_flags(path.partition("?")[0], _RAW_PATH, _DECODED_PATH))


def query_flags(path: str, parsed: dict[str, list[str]]) -> list[str]:
    """The same for the query of `:path`, of which `parsed` is what `parsed_query` gave."""
    flags = [*_flags(path.partition("?")[2], _RAW_QUERY, _DECODED_QUERY)]
    if any(len(values) > 1 for values in parsed.values()):
        flags.append(Flag.REPEATED_NAME)
    return sorted(flags)


def _flags(text: str, raw: _Patterns, decoded: _Patterns) -> Iterator[Flag]:
    plain = unquote(text)
    yield from (flag for flag, pattern in raw if pattern.search(text))
    yield from (flag for flag, pattern in decoded if pattern.search(plain))
    if not is_utf8(unquote_to_bytes(text)):
        yield Flag.NOT_UTF8
