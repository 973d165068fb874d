"""`parsed_path` and `parsed_query` of the policy input, as opa-envoy-plugin derives them from `:path` (Go's net/url).

Differences, none of which hides a byte from the policy:

- An invalid escape (`%zz`) stays as it is.  Go refuses the whole path, and drops a pair of the query in silence.
- A `;` in the query is an ordinary character.  Go drops the pair.
- `//host/a` is a path with an empty segment in front, never a host; `#` is an ordinary character (Envoy refuses it).
- Escaped bytes that are not UTF-8 read as U+FFFD; Go turns them into the same when it writes the input document.
"""

from urllib.parse import unquote


def parsed_path(path: str) -> list[str]:
    """The decoded segments of `:path` without its query; `%2F` separates as `/` does, for Go decodes before it splits.

    `/` is `[""]`.
    """
    return unquote(path.partition("?")[0]).lstrip("/").split("/")


def parsed_query(path: str) -> dict[str, list[str]]:
    """Every parameter of the query of `:path` with its values in order; a name without `=` has the value `""`."""
    values: dict[str, list[str]] = {}
    for pair in path.partition("?")[2].replace("+", " ").split("&"):
        if pair:
            name, _, value = pair.partition("=")
            values.setdefault(unquote(name), []).append(unquote(value))
    return values
