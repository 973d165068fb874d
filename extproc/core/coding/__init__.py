"""Content codings (RFC 9110 section 8.4.1): one table from name to decoder, one module per library.

A decoder takes a whole coded body and gives its bytes in pieces of at most PIECE_BYTES, so that whoever takes them can
stop at a limit.  It raises Undecodable for everything but one whole stream: a truncated one, a wrong checksum, a second
gzip member or zstd frame, bytes after the end.  Libraries disagree on all of these, so an upstream might read another
body than the policy.
"""

from collections.abc import Mapping
from functools import partial

from extproc.core.coding.brotli import br
from extproc.core.coding.deflate import deflate, gzip
from extproc.core.coding.pieces import Decoder
from extproc.core.coding.zstandard import zstd

DECODERS: Mapping[str, Decoder] = {
    "br": br,
    "deflate": deflate,
    "gzip": gzip,
    "x-gzip": gzip,  # RFC 9110 section 8.4.1.3: equivalent
    "zstd": zstd,
}
"""By the lower-case name of the coding."""


def decoder_of(coding: str, most_bytes: int) -> Decoder | None:
    """The decoder of a coding that we undo, for a body of which no more than `most_bytes` are wanted."""
    return partial(br, most_bytes=most_bytes) if coding == "br" else DECODERS.get(coding)
