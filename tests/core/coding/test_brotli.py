import brotli
import pytest
from core.coding.encoders import decoded

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
