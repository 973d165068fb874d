import pytest
from core.coding.encoders import decoded, zstd

from extproc.errors import Undecodable

_PLAIN = b'{"a": "attack"}'
_FRAME = zstd.compress(_PLAIN, options={zstd.CompressionParameter.checksum_flag: 1})
_SKIPPABLE = b"\x50\x2a\x4d\x18\x06\0\0\0hidden"


def _windowed(log: int, data: bytes = b"a") -> bytes:
    """A frame that does not say its content's size and so must say its window's."""
    encoder = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return encoder.compress(data) + encoder.flush()


def _with_dictionary() -> bytes:
    samples = [b'{"name": "%d", "attack": %d}' % (n, n * n) for n in range(1_000)]
    return zstd.compress(_PLAIN, zstd_dict=zstd.train_dict(samples, 1_000))


def _claiming(size: int) -> bytes:
    """A frame of 15 bytes with another content size in its header."""
    assert _FRAME[5] == len(_PLAIN)
    return _FRAME[:5] + bytes((size,)) + _FRAME[6:]


def test_frames_with_and_without_checksum_and_size_are_read() -> None:
    assert [decoded("zstd", frame) for frame in (_FRAME, zstd.compress(_PLAIN), _windowed(10, _PLAIN))] == [_PLAIN] * 3


def test_a_window_is_8_mib_at_most() -> None:
    assert decoded("zstd", _windowed(23)) == b"a"
    with pytest.raises(Undecodable):
        decoded("zstd", _windowed(24))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_SKIPPABLE, id="a skippable frame alone"),
        pytest.param(_SKIPPABLE + _FRAME, id="a skippable frame first"),
        pytest.param(_FRAME + _SKIPPABLE, id="a skippable frame last"),
        pytest.param(_FRAME + _FRAME, id="two frames"),
        pytest.param(_claiming(14), id="a content size that is too small"),
        pytest.param(_claiming(16), id="a content size that is too large"),
        pytest.param(_FRAME[:-1] + bytes((_FRAME[-1] ^ 1,)), id="a wrong checksum"),
        pytest.param(_FRAME[:4] + bytes((_FRAME[4] | 0x08,)) + _FRAME[5:], id="the reserved bit"),
        pytest.param(_FRAME[4:], id="no magic number"),
        pytest.param(b"\x27" + _FRAME[1:], id="the format before 0.8"),
        pytest.param(_with_dictionary(), id="a dictionary"),
        pytest.param(_PLAIN, id="plain"),
    ],
)
def test_what_is_not_one_whole_frame_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded("zstd", data)
