import gzip
import zlib
from io import BytesIO

import pytest
from core.coding.encoders import decoded, raw_deflate
from hypothesis import given
from hypothesis import strategies as st

from extproc.errors import Undecodable

_PLAIN = b'{"a": "attack"}'
_MEMBER = gzip.compress(_PLAIN, mtime=0)
_HEADER, _REST = _MEMBER[:10], _MEMBER[10:]


def _flagged(flags: int, fields: bytes) -> bytes:
    return _HEADER[:3] + bytes((flags,)) + _HEADER[4:] + fields + _REST


@pytest.mark.parametrize(
    ("flags", "fields"),
    [(0x01, b""), (0x04, b"\x03\0abc"), (0x08, b"name\0"), (0x10, b"a comment\0"), (0x18, b"name\0comment\0")],
    ids=["text", "extra", "name", "comment", "both"],
)
def test_what_a_gzip_header_says_besides_is_no_content(flags: int, fields: bytes) -> None:
    assert decoded("gzip", _flagged(flags, fields)) == _PLAIN


def test_a_checksum_of_the_gzip_header_is_verified() -> None:
    head = _HEADER[:3] + b"\x02" + _HEADER[4:]
    right = (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    assert decoded("gzip", head + right + _REST) == _PLAIN
    with pytest.raises(Undecodable):
        decoded("gzip", head + bytes((right[0] ^ 1, right[1])) + _REST)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_flagged(0x20, b""), id="a reserved flag"),
        pytest.param(_HEADER[:2] + b"\x07" + _HEADER[3:] + _REST, id="another method"),
        pytest.param(_MEMBER[:-8] + bytes(4) + _MEMBER[-4:], id="a wrong CRC"),
        pytest.param(_MEMBER[:-4] + bytes(4), id="a wrong length"),
        pytest.param(_MEMBER + b"\0" * 512, id="zeros as padding"),
        pytest.param(_MEMBER + _MEMBER, id="two members"),
        pytest.param(_MEMBER + _HEADER, id="a second member that ends early"),
        pytest.param(zlib.compress(_PLAIN), id="zlib"),
        pytest.param(raw_deflate(_PLAIN), id="raw"),
        pytest.param(_PLAIN, id="plain"),
    ],
)
def test_what_is_not_one_whole_gzip_member_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded("gzip", data)


def _with_dictionary() -> bytes:
    encoder = zlib.compressobj(zdict=b"attack")
    return encoder.compress(_PLAIN) + encoder.flush()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(raw_deflate(_PLAIN), id="raw"),
        pytest.param(_MEMBER, id="gzip"),
        pytest.param(_with_dictionary(), id="a preset dictionary"),
        pytest.param(zlib.compress(_PLAIN)[:-4] + bytes(4), id="a wrong checksum"),
        pytest.param(b"x", id="one byte"),
        pytest.param(_PLAIN, id="plain"),
    ],
)
def test_what_is_not_one_whole_zlib_stream_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decoded("deflate", data)


@given(st.binary(max_size=2_000), st.integers(0, 9))
def test_no_raw_reader_gets_a_byte_out_of_a_stream_that_we_read(body: bytes, level: int) -> None:
    stream = zlib.compress(body, level)
    assert decoded("deflate", stream) == body
    with pytest.raises(zlib.error):
        zlib.decompressobj(-15).decompress(stream)


def _with_two_readings() -> tuple[bytes, bytes]:
    """A zlib stream, and what it says; raw readers read `attack` in it."""
    hidden = b"attack"
    size = len(hidden).to_bytes(2, "little")
    inverse = bytes(byte ^ 0xFF for byte in size)
    content = (size + inverse + hidden + b"\x01\0\0\xff\xff").ljust(0xFFFE, b" ")
    out = BytesIO(b"\x78\x01")
    out.seek(2)
    out.write(b"\0\xfe\xff\x01\0" + content)  # a stored block; to a raw reader the bytes 1 to 4 are its length, 1
    out.write(b"\x01\0\0\xff\xff" + zlib.adler32(content).to_bytes(4, "big"))
    return out.getvalue(), content


def test_a_zlib_stream_that_raw_readers_read_differently_is_refused() -> None:
    stream, content = _with_two_readings()
    assert zlib.decompress(stream) == content
    assert zlib.decompressobj(-15).decompress(stream) == b"\x01attack"
    with pytest.raises(Undecodable):
        decoded("deflate", stream)
