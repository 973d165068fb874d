"""HTTP headers as Envoy hands them over: ordered, repeated, lower-case names and bytes for values."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HeaderMap:
    """An ordered multimap.  `pairs` holds (lower-case name, raw value); pseudo-headers such as `:path` are included."""

    pairs: tuple[tuple[str, bytes], ...] = ()
    _by_name: dict[str, list[bytes]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the names once: they are looked up some twenty times in an exchange."""
        by_name: dict[str, list[bytes]] = {}
        for name, value in self.pairs:
            by_name.setdefault(name, []).append(value)
        object.__setattr__(self, "_by_name", by_name)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        return iter(self.pairs)

    def values(self, name: str) -> tuple[bytes, ...]:
        """Every value of `name` (lower-case), in order."""
        return tuple(self._by_name.get(name, ()))

    def first(self, name: str) -> bytes | None:
        """The first value of `name`, or None.  Only for headers that Envoy keeps single, such as `:path`."""
        values = self._by_name.get(name)
        return values[0] if values else None

    def text(self, name: str) -> str:
        """The first value of `name` as text, empty where there is none; bytes that are not UTF-8 read as Latin-1."""
        values = self._by_name.get(name)
        return header_text(values[0]) if values else ""

    def names(self, prefix: str) -> tuple[str, ...]:
        """The names that begin so, each once."""
        return tuple([name for name in self._by_name if name.startswith(prefix)])

    def texts(self) -> dict[str, list[str]]:
        """Every name with its values in order, as text."""
        try:
            return {name: [value.decode() for value in values] for name, values in self._by_name.items()}
        except UnicodeDecodeError:
            return {name: [*map(header_text, values)] for name, values in self._by_name.items()}

    def odd_names(self) -> set[str]:
        """The names with a value that is not UTF-8, and so was read as Latin-1."""
        if b"".join([value for _, value in self.pairs]).isascii():
            return set()
        return {name for name, value in self.pairs if not is_utf8(value)}


NO_HEADERS = HeaderMap()


def header_text(value: bytes) -> str:
    """A header value as text: UTF-8, else Latin-1 (RFC 9110 section 5.5 leaves the charset open)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def is_utf8(value: bytes) -> bool:
    """Whether the bytes are UTF-8: no overlong form, no surrogate."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class HeaderMutation:
    """Changes to one direction's headers (envoy.service.ext_proc.v3.HeaderMutation).

    `set` overwrites, `append` adds a further value, `remove` drops every value.  Names are lower-case.
    """

    set: tuple[tuple[str, bytes], ...] = ()
    append: tuple[tuple[str, bytes], ...] = ()
    remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.set or self.append or self.remove)

    def __add__(self, other: "HeaderMutation") -> "HeaderMutation":
        """Both changes, `other` after this one."""
        if not (self and other):
            return self or other
        return HeaderMutation(self.set + other.set, self.append + other.append, self.remove + other.remove)

    def setting(self, *fields: tuple[str, bytes]) -> "HeaderMutation":
        """These changes, and then fields that overwrite."""
        return HeaderMutation(self.set + fields, self.append, self.remove)


NO_MUTATION = HeaderMutation()
