"""Query parameters that a policy sets or removes, in the `:path` that goes upstream."""

from dataclasses import dataclass
from urllib.parse import quote_plus

from extproc.core.headers import is_utf8
from extproc.core.request_line import parameter_text


@dataclass(frozen=True, slots=True)
class QueryMutation:
    """`set` replaces every value of a name; `remove` drops them."""

    set: tuple[tuple[str, tuple[str, ...]], ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.set or self.remove)


NO_QUERY_MUTATION = QueryMutation()


def rewritten(path: bytes, mutation: QueryMutation) -> bytes:
    """The path with its query changed.  Parameters that the mutation does not name keep their bytes and their order.

    A name is the one that `parsed_query` shows.
    """
    charset = "utf-8" if is_utf8(path) else "latin-1"  # as header_text, so that a name is found as the policy saw it
    base, _, query = path.decode(charset).partition("?")
    gone = {name for name, _ in mutation.set} | set(mutation.remove)
    kept = [pair for pair in query.split("&") if pair and parameter_text(pair.partition("=")[0]) not in gone]
    added = [f"{quote_plus(name)}={quote_plus(value)}" for name, values in mutation.set for value in values]
    return "?".join(filter(None, (base, "&".join(kept + added)))).encode(charset)
