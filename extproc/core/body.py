"""From the bytes of one body to what we know about it: reassembly, limits, and the Inspection with its named state."""

from hashlib import sha256
from http import HTTPStatus

from extproc.core import decoding
from extproc.core.decoding import media_type
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import Direction, Headers
from extproc.core.half import status_of
from extproc.core.headers import HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits
from extproc.errors import BodyError, OverLimit, Overloaded, TypeMismatch, Undecodable

_IDENTITY = frozenset({(), ("identity",)})


class MemoryBudget:
    """Bytes of bodies that one worker holds for all of its exchanges together.

    It counts the wire bytes.  A parser's tree lives for the length of one call, one at a time in a worker, and may take
    some 30 times its body's bytes.
    """

    def __init__(self, limit_bytes: int) -> None:
        """Hold `limit_bytes` at most."""
        self._limit_bytes = limit_bytes
        self._current = 0

    @property
    def current(self) -> int:
        """Bytes charged and not released."""
        return self._current

    def charge(self, size: int) -> None:
        """Take `size` bytes.  Raises Overloaded, and takes nothing, where they do not fit."""
        if self._current + size > self._limit_bytes:
            raise Overloaded("the memory budget for bodies is full")
        self._current += size

    def release(self, size: int) -> None:
        """Give `size` charged bytes back."""
        self._current -= size


class Reassembly:
    """One direction's body, chunk by chunk.  Past the limit it holds nothing any more and only counts."""

    def __init__(self, limit_bytes: int, budget: MemoryBudget) -> None:
        """Hold `limit_bytes` at most, charged to the budget."""
        self._limit_bytes = limit_bytes
        self._budget = budget
        self._chunks: list[bytes] = []
        self._held = 0
        self._size = 0

    @property
    def size(self) -> int:
        """All bytes seen, kept or not."""
        return self._size

    @property
    def over_limit(self) -> bool:
        """Whether more bytes came than allowed."""
        return self._size > self._limit_bytes

    @property
    def digest(self) -> str:
        """SHA-256 of the body in hexadecimal; empty where it is not held whole (over the limit, or released)."""
        return sha256(self.data()).hexdigest() if self._held == self._size else ""

    def feed(self, data: bytes) -> None:
        """Add a chunk, empty or not.  Raises Overloaded, and adds nothing, where the budget is full."""
        if self._size + len(data) > self._limit_bytes:
            self.release()
        else:
            self._budget.charge(len(data))
            self._held += len(data)
            self._chunks.append(data)
        self._size += len(data)

    def data(self) -> bytes:
        """The bytes held; joined once, and a body of one chunk is that very object."""
        if len(self._chunks) > 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0] if self._chunks else b""

    def release(self) -> None:
        """Let go of the bytes and of their share of the budget; `size` and `over_limit` stay.  Repeatable."""
        self._budget.release(self._held)
        self._held = 0
        self._chunks = []


def state_from_headers(direction: Direction, headers: HeaderMap, status: int) -> State | None:
    """The state that headers alone give to the body that follows them, or None where its bytes will tell.

    `upgrade`: a request with CONNECT (extended CONNECT, RFC 8441, included) or with `connection: upgrade` and an
    `upgrade` header.  `stream`: a `text/event-stream` response.  `partial`: a 206 or `multipart/byteranges` response.
    One member of a repeated header is enough.  `status` is the response's, and 0 for a request.
    """
    if direction is Direction.REQUEST:
        return State.UPGRADE if _is_upgrade(headers) else None
    types = {value.partition(b";")[0].strip().lower() for value in _members(headers, "content-type")}
    if b"text/event-stream" in types:
        return State.STREAM
    if status == HTTPStatus.PARTIAL_CONTENT or b"multipart/byteranges" in types:
        return State.PARTIAL
    return None


def inspect(head: Headers, body: Reassembly, limits: Limits) -> Inspection:
    """What we know about a body of which every byte came, or none; never raises a BodyError.

    The first that applies: `empty` (no byte), a state that the headers give, `over_limit`, `undecodable` by its
    Content-Encoding (any but one `identity`), `type_mismatch` by an unreadable Content-Type, the parser's verdict.
    """
    media = media_type.declared(head.headers)
    shown = media or MediaType()
    codings = _codings(head.headers)
    decoded = Decoded()
    if not body.size:
        state = State.EMPTY
    elif known := state_from_headers(head.direction, head.headers, status_of(head)):
        state = known
    else:
        try:
            decoded = _decoded(body, media, codings, limits)
            state = decoded.state
        except BodyError as error:
            state = State(error.code)
    return Inspection(
        state=state,
        media_type=shown.name,
        charset=shown.charset,
        encodings=codings,
        size=body.size,
        decoded_size=0 if body.over_limit or codings not in _IDENTITY else body.size,
        digest=body.digest,
        sniffed=decoded.sniffed,
        raw=body.data(),
        parsed=decoded.parsed,
        text=decoded.text,
    )


def inspect_missing(head: Headers) -> Inspection:
    """A body that was to follow its headers when trailers came instead: `not_sent` where a length was declared.

    Without a Content-Length, or with one of zero, it is `empty`; an unreadable or repeated one is taken for a length.
    """
    shown = media_type.declared(head.headers) or MediaType()
    return Inspection(
        state=State.EMPTY if head.headers.values("content-length") in {(), (b"0",)} else State.NOT_SENT,
        media_type=shown.name,
        charset=shown.charset,
        encodings=_codings(head.headers),
    )


def _decoded(body: Reassembly, media: MediaType | None, codings: tuple[str, ...], limits: Limits) -> Decoded:
    if body.over_limit:
        raise OverLimit("more bytes than allowed")
    if codings not in _IDENTITY:
        raise Undecodable("a content coding")
    if media is None:
        raise TypeMismatch("no single media type")
    return decoding.decode(body.data(), media, limits)


def _codings(headers: HeaderMap) -> tuple[str, ...]:
    return tuple(value.decode("latin-1").lower() for value in _members(headers, "content-encoding"))


def _is_upgrade(headers: HeaderMap) -> bool:
    if headers.first(":method") == b"CONNECT":
        return True
    if not headers.values("upgrade"):
        return False
    return b"upgrade" in {value.lower() for value in _members(headers, "connection")}


def _members(headers: HeaderMap, name: str) -> list[bytes]:
    """The members of a header that is a comma-separated list (RFC 9110 section 5.6.1), over all of its lines."""
    return [member.strip() for value in headers.values(name) for member in value.split(b",")]
