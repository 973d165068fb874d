"""Forms in which some reader finds other fields than most do."""

import pytest

from extproc.core.decoding import decode
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.errors import Malformed

MEDIA = MediaType("multipart/form-data", {"boundary": "XX"})
FIELD = b'Content-Disposition: form-data; name="a"'


def _part(header: bytes = FIELD, content: bytes = b"1") -> bytes:
    return b"--XX\r\n" + header + b"\r\n\r\n" + content + b"\r\n"


def _parsed(part: bytes) -> bytes | None:
    return decode(part + b"--XX--\r\n", MEDIA, Limits()).parsed


@pytest.mark.parametrize(
    "part",
    [
        _part(content=b"1\r\nXX\r\n" + FIELD + b"\r\n\r\n2\r\nXX\r\n"),
        _part(FIELD + b"; filename=b", b"\xffXX\r\n" + FIELD + b"\r\n\r\n2XX"),
        _part(FIELD + b'; filename=b\r\nContent-Type: a/b; c="XX  Content-Disposition: form-data; name=role"'),
        _part(content=b"-XX"),
    ],
)
def test_the_boundary_without_its_hyphens_stands_nowhere_else(part: bytes) -> None:
    """Sanic looks for it alone: what is one file to others has fields in it."""
    with pytest.raises(Malformed):
        _parsed(part)


def test_a_field_does_not_begin_with_a_byte_order_mark() -> None:
    """Node's formData and ASP.NET Core drop it."""
    with pytest.raises(Malformed):
        _parsed(_part(content="\ufeff1".encode()))
    assert _parsed(_part(content="1\ufeff".encode()))
    assert _parsed(_part(FIELD + b"; filename=b", "\ufeff1".encode()))
