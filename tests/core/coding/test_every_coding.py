import pytest
from core.coding.encoders import ENCODERS, decoded, incompressible
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.coding import DECODERS
from extproc.core.coding.pieces import PIECE_BYTES
from extproc.errors import Undecodable

_names = st.sampled_from(sorted(ENCODERS))
_bodies = st.binary(max_size=300) | st.tuples(st.binary(min_size=1, max_size=9), st.integers(1, 40_000)).map(
    lambda pair: pair[0] * pair[1]
)


def test_every_coding_is_tested() -> None:
    assert ENCODERS.keys() == DECODERS.keys()


@given(_names, _bodies)
def test_what_was_coded_comes_back(name: str, body: bytes) -> None:
    assert decoded(name, ENCODERS[name](body)) == body


@given(_names, _bodies, st.integers(0))
def test_a_stream_that_is_cut_anywhere_is_refused(name: str, body: bytes, cut: int) -> None:
    whole = ENCODERS[name](body)
    with pytest.raises(Undecodable):
        decoded(name, whole[: cut % len(whole)])


@given(_names, _bodies, st.binary(min_size=1, max_size=9))
def test_bytes_after_the_end_are_refused(name: str, body: bytes, more: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded(name, ENCODERS[name](body) + more)


@given(_names, _bodies, _bodies)
def test_a_second_stream_is_refused(name: str, body: bytes, more: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded(name, ENCODERS[name](body) + ENCODERS[name](more))


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize("slices", [1, 2, 3])
def test_the_end_is_found_where_a_slice_of_the_input_ends(name: str, slices: int) -> None:
    """Whatever the library has buffered then: the rest is refused, and the whole is not."""
    noise = bytes(range(256)) * 400
    length = next(n for n in range(slices << 10, 0, -1) if len(ENCODERS[name](incompressible(n))) <= slices << 10)
    whole = ENCODERS[name](incompressible(length))
    assert decoded(name, whole) == incompressible(length)
    for more in (b"\0", b"\0" * (1 << 10), noise):
        with pytest.raises(Undecodable):
            decoded(name, whole + more)


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 10 * PIECE_BYTES])
def test_no_piece_is_larger_than_a_piece(name: str, size: int) -> None:
    pieces = list(DECODERS[name](ENCODERS[name](b"a" * size)))
    assert b"".join(pieces) == b"a" * size
    assert max(map(len, pieces)) <= PIECE_BYTES


@given(_names, st.binary(max_size=100))
def test_any_bytes_are_decoded_or_refused(name: str, data: bytes) -> None:
    _decoded_or_refused(name, data)


@given(_names, _bodies, st.integers(0), st.integers(0, 255))
def test_a_changed_byte_is_decoded_or_refused(name: str, body: bytes, place: int, byte: int) -> None:
    whole = bytearray(ENCODERS[name](body))
    whole[place % len(whole)] = byte
    _decoded_or_refused(name, bytes(whole))


@given(_names.filter(lambda name: name != "br"), _bodies, st.integers(0), st.integers(1, 255))
def test_where_there_is_a_checksum_no_byte_of_the_content_changes(name: str, body: bytes, at: int, flip: int) -> None:
    whole = bytearray(ENCODERS[name](body))
    whole[at % len(whole)] ^= flip
    assert _decoded_or_refused(name, bytes(whole)) in {None, body}


def _decoded_or_refused(name: str, data: bytes) -> bytes | None:
    try:
        return decoded(name, data)
    except Undecodable:
        return None
