import brotli
import pytest
from core.coding.encoders import decoded, incompressible

from extproc.core.coding import decoder_of
from extproc.core.coding.brotli import br
from extproc.errors import Undecodable

_EMPTY = b"\x06"
_METADATA = b"\xac\x02hidden"
"""RFC 7932 section 9.2: a window of 16 bits, then a metadata block of six bytes; the last block is still to come."""


def test_a_stream_without_content_is_read() -> None:
    assert decoded("br", _EMPTY) == b""


def test_metadata_is_no_content() -> None:
    assert decoded("br", _METADATA + b"\x03") == b""


def test_a_metadata_block_is_no_end() -> None:
    with pytest.raises(Undecodable):
        decoded("br", _METADATA)


def test_a_large_window_is_refused() -> None:
    """The extension beyond RFC 7932 begins with the reserved window size 0x11."""
    with pytest.raises(Undecodable):
        decoded("br", b"\x11\x1e" + brotli.compress(b"abc"))


def test_a_bomb_gives_its_pieces_one_by_one() -> None:
    bomb = brotli.compress(b"\0" * (64 << 20))
    assert len(bomb) < 1_000
    assert len(next(iter(br(bomb)))) < 1 << 15


_FAR = incompressible(300_000) * 2
"""To say the second half by the first takes a window of more than 2^18 bytes."""


@pytest.mark.parametrize("window", range(10, 25))
@pytest.mark.parametrize("over", [-1, 0, 1, 40_000])
def test_a_body_of_as_many_bytes_as_are_wanted_is_read_whatever_its_window(window: int, over: int) -> None:
    """2^18 - 16 is the reach of the smallest window that a larger one is made to."""
    ends = incompressible(5_000)
    body = ends + bytes((1 << 18) - 16 + over - 10_000) + ends
    wire = brotli.compress(body, quality=5, lgwin=window)
    assert b"".join(br(wire, len(body))) == body
    assert b"".join(br(wire, len(body) + 1)) == body


@pytest.mark.parametrize("window", [20, 22, 24])
def test_a_window_is_no_larger_than_what_is_wanted_needs(window: int) -> None:
    """The library would fill it before it gives anything away: shown by distances that are out of reach then."""
    wire = brotli.compress(_FAR, quality=5, lgwin=window)
    assert b"".join(br(wire, len(_FAR))) == decoded("br", wire) == _FAR
    narrow = decoder_of("br", 1_000)
    assert narrow is not None
    given: list[bytes] = []
    with pytest.raises(Undecodable):
        given.extend(narrow(wire))
    assert _FAR.startswith(b"".join(given))
    assert sum(map(len, given)) > 1_000
