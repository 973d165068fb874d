import pytest

from extproc.errors import VerificationError
from extproc.evidence.strict_json import strict_object


def test_an_object_is_read() -> None:
    assert strict_object(b'{"a": [1, true, null, "\xc3\xa9"], "b": {}}') == {"a": [1, True, None, "é"], "b": {}}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "not JSON in UTF-8"),
        (b"{", "not JSON in UTF-8"),
        (b'{"a": "\xff"}', "not JSON in UTF-8"),
        (b"[" * 100_000, "not JSON in UTF-8"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "not JSON in UTF-8"),
        (b"[]", "not a JSON object"),
        (b"1", "not a JSON object"),
        (b'{"a": 1, "a": 1}', "a JSON object with the same key twice"),
        (b'{"a": [{"b": 1, "b": 2}]}', "a JSON object with the same key twice"),
        (b'{"a": 1.0}', "a number that is no integer: 1.0"),
        (b'{"a": 1e3}', "a number that is no integer: 1e3"),
        (b'{"a": NaN}', "a number that is no integer: NaN"),
        (b'{"a": -Infinity}', "a number that is no integer: -Infinity"),
    ],
)
def test_what_our_writer_never_makes_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(VerificationError) as caught:
        strict_object(text)
    assert str(caught.value) == reason
