from fuzz.properties.forms import MULTIPART, multipart
from fuzz.properties.target import decoded
from hypothesis import example, given
from hypothesis import strategies as st

_NAMES = st.text("ab;,= é[]'./?&%+", min_size=1, max_size=6)
_CONTENTS = st.text("a\r\n-x: é", max_size=12).map(str.encode) | st.binary(max_size=12)
_PARTS = st.tuples(_NAMES, st.none() | _NAMES, _CONTENTS)


def _body(parts: list[tuple[str, str | None, bytes]]) -> bytes:
    written = b""
    for name, filename, content in parts:
        header = f'Content-Disposition: form-data; name="{name}"'
        header += "" if filename is None else f'; filename="{filename}"'
        written += b"--XX\r\n%b\r\n\r\n%b\r\n" % (header.encode(), content)
    return written + b"--XX--\r\n"


@given(st.lists(_PARTS, max_size=4))
@example([("a", None, b"\r\n"), ("a", "b", b"\r\n--\r\n"), ("a", None, b"")])
def test_a_written_form_is_read_alike_by_every_framework(parts: list[tuple[str, str | None, bytes]]) -> None:
    multipart(_body(parts))


def test_a_form_with_odd_names_is_read() -> None:
    assert decoded(MULTIPART, _body([("é;b, c=d%", "x&y é.txt", b"\xff"), ("[]", None, b"--")])) is not None
