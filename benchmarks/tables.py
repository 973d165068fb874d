"""Coded bodies of blocks that hold next to nothing and ask for tables that are dear to build."""

import zlib

_DEFLATE = bytes.fromhex("04ef0182244992244902128b9a4756cfdeff9f7b80c4a2e691d5b377ff7f000000ffff")
"""RFC 1951 section 3.2.7: two Huffman codes with words of up to 15 bits, and no content; then an empty stored block."""
_ZSTD_HEAD = bytes.fromhex("28b52ffd0068") + bytes.fromhex("400000") + b"abcdefgh"
"""RFC 8878 section 3.1.1: a frame with a window of 8 MiB, and a raw block to copy from."""
_ZSTD = bytes.fromhex("6c00000001a8f43ff31ff43f00000004")
"""Section 3.1.1.3.2: a block of one sequence, with three FSE tables of their largest size."""
_TYPES = 256
_BR_START = b"\x0c"
"""RFC 7932 section 9: a window of 64 KiB, and an empty metadata block up to the next byte."""
_BR_FOUR = b"\x18\0\x08abcd"
"""Four bytes as they are, for the first distance to copy from is four."""

BR_WINDOW = bytes.fromhex("cfffff7f00246202bf007c4fff07")
"""A window of 16 MiB, and a meta-block whose one command fills it."""


def br(blocks: int, copied: int = 0) -> bytes:
    """Brotli of so many blocks; each, some 81 bytes, gives one byte and `copied` ones: none, or more than 2,117."""
    return _BR_START + _BR_FOUR + _br_block(copied) * blocks + b"\x03"


def deflate(length: int) -> bytes:
    """A zlib stream of about so many bytes, of nothing."""
    end = bytes.fromhex("010000ffff") + zlib.adler32(b"").to_bytes(4, "big")
    return b"\x78\x9c" + _DEFLATE * (length // len(_DEFLATE)) + end


def zstd(length: int) -> bytes:
    """A Zstandard frame of about so many bytes; each block, 16 bytes, gives three."""
    return _ZSTD_HEAD + _ZSTD * (length // len(_ZSTD)) + bytes.fromhex("010000")


def _br_block(copied: int) -> bytes:
    """Section 9.2: a meta-block with a context map of 16,384 entries that take no bit, as numbers and their bits."""
    one, no = (1, 1), (0, 1)
    head = [no, (0, 2), (copied, 16), no]
    types = [(0b1111, 4), (_TYPES - 129, 7), *_code(0, 9), *_code(0, 5), (0, 2), no, no, (0, 2), (0, 4)]
    modes = [(0, 2)] * _TYPES
    maps = [one, (0, 3), no, *_code(1, 1), one, no]
    command = [(copied - 2_118, 24)] if copied else []
    codes = [*_code(ord("1"), 8) * 2, *_code(399 if copied else 8, 10), *_code(0, 6)]
    return _bits(*head, *types, *modes, *maps, *codes, *command, no, (3, 2), no, (0, 2))


def _code(symbol: int, width: int) -> list[tuple[int, int]]:
    """Section 3.4: a code of one symbol, which then takes no bit."""
    return [(1, 2), (0, 2), (symbol, width)]


def _bits(*fields: tuple[int, int]) -> bytes:
    value = place = 0
    for number, width in fields:
        value |= number << place
        place += width
    return value.to_bytes(-(-place // 8), "little")
