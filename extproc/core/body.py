"""From the bytes of one body to what we know about it: reassembly, limits, and the Inspection with its named state."""

from hashlib import sha256
from http import HTTPStatus
from io import BytesIO

from extproc.core import decoding
from extproc.core.budget import MemoryBudget
from extproc.core.coding import decoder_of
from extproc.core.coding.effort import CpuClock, bounded
from extproc.core.coding.pieces import Decoder
from extproc.core.decoding import media_type
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.events import Direction, Headers
from extproc.core.half import status_of
from extproc.core.headers import HeaderMap
from extproc.core.inspection import Inspection, State
from extproc.core.rules import Limits
from extproc.errors import BodyError, Malformed, OverLimit, Overloaded, TypeMismatch, Undecodable

_IDENTITY = frozenset({(), ("identity",)})
_NOTHING = Decoded()


class Reassembly:
    """One direction's body, chunk by chunk.  Past the limit it holds nothing any more and only counts.

    `size`, `over_limit` and `digest` are about the bytes on the wire, whatever is held.
    """

    def __init__(self, limit_bytes: int, budget: MemoryBudget, cpu_ns: CpuClock) -> None:
        """Hold `limit_bytes` at most, charged to the budget; `cpu_ns` tells when undoing a coding takes too long."""
        self._limit_bytes = limit_bytes
        self._budget = budget
        self._cpu_ns = cpu_ns
        self._chunks: list[bytes] = []
        self._held = 0
        self._beside = 0
        self._size = 0
        self.decoded = False

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
        """SHA-256 in hexadecimal; empty where the bytes are not held (over the limit, decoded, or released)."""
        return "" if self.decoded or self._held != self._size else sha256(self.data()).hexdigest()

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

    def decode(self, decoder: Decoder, limit_bytes: int) -> None:
        """Undo a content coding: from now on the decoded bytes are held, and no longer those on the wire.

        They are charged piece by piece.  Raises Undecodable and Overloaded, and nothing has changed then; raises
        OverLimit beyond `limit_bytes`, and then nothing is held any more, as beyond the limit on the wire.
        """
        out = BytesIO()  # it hands its bytes over without a copy
        try:
            for piece in bounded(decoder, self.data(), self._cpu_ns):
                self._budget.charge(len(piece))
                out.write(piece)
                if out.tell() > limit_bytes:
                    break
        except (Undecodable, Overloaded):
            self._budget.release(out.tell())
            raise
        self.release()
        if out.tell() > limit_bytes:
            self._budget.release(out.tell())
            raise OverLimit("a content coding that unfolds to more than allowed")
        self._chunks, self._held, self.decoded = [out.getvalue()], out.tell(), True

    def keep_beside(self, size: int) -> None:
        """Charge what was made of the body and is kept with it.  Raises Overloaded, and charges nothing."""
        self._budget.charge(size)
        self._beside += size

    def release_bytes(self) -> None:
        """Let go of the bytes, and keep what was made of them."""
        self._budget.release(self._held)
        self._held, self._chunks = 0, []

    def release(self) -> None:
        """Let go of the bytes and of their share of the budget; `size` and `over_limit` stay.  Repeatable."""
        self.release_bytes()
        self._budget.release(self._beside)
        self._beside = 0


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
    """What we know about a body of which every byte came, or none; afterwards it is held decoded, where it can be.

    The first that applies: `empty` (no byte), a state that the headers give, `over_limit` on the wire, `malformed` by a
    Content-Length that is not the bytes' (RFC 9113 section 8.1.1), `undecodable` or `over_limit` by Content-Encoding,
    `empty` again where that leaves nothing, `type_mismatch` by an unreadable Content-Type, the parser's verdict.

    Never raises a BodyError, but Overloaded where the budget does not hold the decoded bytes, or what was parsed.
    """
    media = media_type.declared(head.headers)
    shown = media or MediaType()
    codings, digest = _codings(head.headers), body.digest
    try:
        state, decoded = _judged(head, body, media, limits, codings=codings)
    except BodyError as error:
        state, decoded = State(error.code), _NOTHING
    data = body.data()
    body.keep_beside(decoded.bytes_beside(data))
    plain = body.decoded or codings in _IDENTITY
    return Inspection(
        state=state,
        media_type=shown.name,
        charset=shown.charset,
        encodings=codings,
        size=body.size,
        decoded_size=len(data) if plain else 0,
        digest=digest,
        sniffed=decoded.sniffed,
        raw=data,
        parsed=decoded.parsed,
        text=decoded.text,
        frames=decoded.frames,
        lifted=decoded.lifted,
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


def _judged(
    head: Headers, body: Reassembly, media: MediaType | None, limits: Limits, *, codings: tuple[str, ...]
) -> tuple[State, Decoded]:
    if not body.size:
        return State.EMPTY, _NOTHING
    if known := state_from_headers(head.direction, head.headers, status_of(head)):
        return known, _NOTHING
    if body.over_limit:
        raise OverLimit("more bytes than allowed")
    if head.headers.values("content-length") not in {(), (b"%d" % body.size,)}:
        raise Malformed("a Content-Length that is not the body's")
    _undo_coding(codings, body, limits)
    data = body.data()
    if not data:
        return State.EMPTY, _NOTHING
    if media is None:
        raise TypeMismatch("no single media type")
    decoded = decoding.decode(data, media, limits)
    return decoded.state, decoded


def _undo_coding(codings: tuple[str, ...], body: Reassembly, limits: Limits) -> None:
    if codings in _IDENTITY:
        return
    most_bytes = limits.decoded(body.size)
    decoder = decoder_of(codings[0], most_bytes) if len(codings) == 1 else None
    if decoder is None:
        raise Undecodable("no content coding that we undo, or several")
    body.decode(decoder, most_bytes)


def _codings(headers: HeaderMap) -> tuple[str, ...]:
    """Every member of Content-Encoding in lower case; only the whitespace of the grammar is no part of a name."""
    members = [member for value in headers.values("content-encoding") for member in value.split(b",")]
    return tuple([member.strip(b" \t").decode("latin-1").lower() for member in members])


def _is_upgrade(headers: HeaderMap) -> bool:
    if headers.first(":method") == b"CONNECT":
        return True
    if not headers.values("upgrade"):
        return False
    return b"upgrade" in {value.lower() for value in _members(headers, "connection")}


def _members(headers: HeaderMap, name: str) -> list[bytes]:
    """The members of a header that is a comma-separated list (RFC 9110 section 5.6.1), over all of its lines."""
    return [member.strip() for value in headers.values(name) for member in value.split(b",")]
