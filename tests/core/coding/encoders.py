"""Bodies under each content coding, as clients write them."""

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli

from extproc.core.coding import DECODERS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.compress,
    "deflate": zlib.compress,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "x-gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
}
"""By name; each writes a checksum where its format has one."""


def raw_deflate(data: bytes) -> bytes:
    """RFC 1951 without a wrapper."""
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


def incompressible(length: int) -> bytes:
    """Bytes that no coding makes shorter: a multiplicative generator's."""
    out, value = bytearray(), 1
    while len(out) < length:
        value = value * 48_271 % 0x7FFFFFFF
        out += value.to_bytes(4, "big")[1:]
    return bytes(out[:length])


def decoded(name: str, data: bytes) -> bytes:
    """All pieces in one."""
    return b"".join(DECODERS[name](data))
