"""Query parameters that a policy sets or removes, in the `:path` that goes upstream."""

from dataclasses import dataclass
from urllib.parse import quote_plus, unquote_plus


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
    """The path with its query changed.  Parameters that the mutation does not name keep their bytes and their order."""
    base, _, query = path.decode(errors="surrogateescape").partition("?")
    gone = {name for name, _ in mutation.set} | set(mutation.remove)
    kept = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in gone]
    added = [f"{quote_plus(name)}={quote_plus(value)}" for name, values in mutation.set for value in values]
    return "?".join(filter(None, (base, "&".join(kept + added)))).encode(errors="surrogateescape")
