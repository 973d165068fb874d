from struct import pack

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.decoding import decode, parser_for
from extproc.core.decoding.decoded import Decoded
from extproc.core.decoding.media_type import MediaType
from extproc.core.inspection import State
from extproc.core.rules import Limits
from extproc.errors import Malformed, TypeMismatch

MEDIA = MediaType("application/grpc")
LIMITS = Limits(fields=4)


def _frame(content: bytes, flag: int = 0) -> bytes:
    return pack(">BI", flag, len(content)) + content


@pytest.mark.parametrize("name", ["application/grpc", "application/grpc+proto", "application/grpc+json"])
def test_the_frames_are_known_and_their_content_is_opaque(name: str) -> None:
    decoded = decode(_frame(b"abc") + _frame(b"", 1), MediaType(name), LIMITS)
    assert decoded == Decoded(frames=b'[{"compressed":false,"size":3},{"compressed":true,"size":0}]')
    assert decoded.state is State.OPAQUE


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"\0\0\0\0",
        _frame(b"abc")[:-1],
        _frame(b"abc") + b"\0",
        _frame(b"abc") + _frame(b"abc")[:-1],
        _frame(b"", 2),
        _frame(b"", 0x80),
        b"\0\xff\xff\xff\xff",
        b'{"a":1}',
        _frame(b"") * 5,
    ],
)
def test_what_is_no_row_of_whole_frames_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, MEDIA, LIMITS)


def test_as_many_frames_as_the_limit_are_read() -> None:
    assert decode(_frame(b"") * 4, MEDIA, LIMITS).frames


@pytest.mark.parametrize("name", ["application/grpc-web", "application/grpc-web+json", "application/grpc-web-text"])
def test_frames_of_grpc_web_are_not_looked_at(name: str) -> None:
    assert parser_for(name) is None


@given(st.lists(st.tuples(st.binary(max_size=9), st.integers(0, 1)), max_size=4), st.integers(1, 9))
def test_frames_are_read_as_they_were_written_and_no_shorter(frames: list[tuple[bytes, int]], cut: int) -> None:
    data = b"".join(_frame(content, flag) for content, flag in frames)
    expected = [{"compressed": flag == 1, "size": len(content)} for content, flag in frames]
    assert decode(data, MEDIA, LIMITS) == Decoded(frames=orjson.dumps(expected))
    lost = data[: max(0, len(data) - cut)]
    whole = {0}
    for content, _ in frames:
        whole.add(max(whole) + 5 + len(content))
    if len(lost) not in whole:
        with pytest.raises(Malformed):
            decode(lost, MEDIA, LIMITS)


@pytest.mark.parametrize("media_type", ["application/grpc", "application/grpc+proto"])
def test_a_frame_whose_prefix_is_white_space_to_a_reader_of_json_is_a_mismatch(media_type: str) -> None:
    """Json.NET skips NUL as it skips a space, and a message of 32 bytes has a prefix of these alone."""
    message = b'{"role": "admin", "a": "bcdefg"}'
    frame = b"\0\0\0\0" + bytes([len(message)]) + message
    with pytest.raises(TypeMismatch):
        decode(frame, MediaType(media_type), Limits())
    assert decode(frame, MediaType("application/grpc+json"), Limits()).frames


@pytest.mark.parametrize("media_type", ["application/grpc", "application/grpc+proto"])
@pytest.mark.parametrize(
    "message",
    [
        b'\n"' + b"a" * 34 + b"\x12\x55" + b"b" * 85,
        b"\nBorder:" + b"1" * 60 + b"\x12\x35" + b"b" * 53,
        b'"Y' + b"x" * 89,
    ],
)
def test_a_message_whose_length_is_a_bracket_is_none(media_type: str, message: bytes) -> None:
    """123 bytes are `{` and 91 are `[`, and what follows may look like a text: the length of the first field."""
    assert decode(_frame(message), MediaType(media_type), Limits()).frames
