import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.core.receipt import MAX_BYTES
from extproc.errors import VerificationError
from extproc.evidence.dsse import MAX_LINE_BYTES, Envelope, decode, encode, pae

TYPE = b"application/vnd.extproc.receipt.v1+json"
GOOD = encode(Envelope(payload=b"{}", kid="key", signature=b"sig"))


def test_the_signed_bytes_are_the_pre_authentication_encoding() -> None:
    assert pae(b"hello world") == b"DSSEv1 39 " + TYPE + b" 11 hello world"


def test_an_envelope_is_one_line() -> None:
    assert GOOD == (b'{"payload":"e30=","payloadType":"%b","signatures":[{"keyid":"key","sig":"c2ln"}]}\n' % TYPE)


@given(st.binary(min_size=1, max_size=MAX_BYTES), st.binary(min_size=64, max_size=64))
def test_what_was_encoded_is_decoded_and_a_line_is_long_enough(payload: bytes, signature: bytes) -> None:
    envelope = Envelope(payload=payload, kid="k" * 43, signature=signature)
    line = encode(envelope)
    assert len(line) < MAX_LINE_BYTES
    assert decode(line) == envelope == decode(line.rstrip(b"\n"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b" " * (MAX_LINE_BYTES + 1), "a line of more than 4096 bytes"),
        (b"", "not JSON in UTF-8"),
        (b"[]", "not a JSON object"),
        (b"{}", "not an envelope with a payload, its type and exactly one signature"),
        (GOOD.replace(b'"c2ln"}]', b'"c2ln"},{"keyid":"b","sig":"c2ln"}]'), "not an envelope with a payload"),
        (GOOD.replace(b'[{"keyid":"key","sig":"c2ln"}]', b"[]"), "not an envelope with a payload"),
        (GOOD.replace(b'"key"', b"1"), "not an envelope with a payload"),
        (GOOD.replace(b'"sig":"c2ln"', b'"sig":"c2ln","sig":"c2ln"'), "a JSON object with the same key twice"),
        (GOOD.replace(b'{"payload":', b'{"extra":1,"payload":'), "an envelope with unknown members"),
        (GOOD.replace(b'{"keyid":', b'{"cert":"","keyid":'), "an envelope with unknown members"),
        (GOOD.replace(TYPE, b"text/plain"), "a payload that is not of type application/vnd.extproc.receipt.v1+json"),
        (GOOD.replace(b'"%b"' % TYPE, b"1"), "a payload that is not of type"),
        (GOOD.replace(b"e30=", b""), "a payload or signature that is not canonical base64"),
        (GOOD.replace(b'"e30="', b"1"), "a payload or signature that is not canonical base64"),
        (GOOD.replace(b"e30=", b"e30"), "a payload or signature that is not canonical base64"),
        (GOOD.replace(b"e30=", b"e31="), "a payload or signature that is not canonical base64"),
        (GOOD.replace(b"e30=", b"e-_="), "a payload or signature that is not canonical base64"),
        (GOOD.replace(b"e30=", b"\\u00e930="), "a payload or signature that is not canonical base64"),
        (GOOD.replace(b"c2ln", b"c2 ln"), "a payload or signature that is not canonical base64"),
    ],
)
def test_any_other_line_is_refused_with_its_reason(line: bytes, reason: str) -> None:
    with pytest.raises(VerificationError) as caught:
        decode(line)
    assert str(caught.value).startswith(reason)
