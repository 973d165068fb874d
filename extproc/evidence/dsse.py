"""DSSE envelopes, one a line.  https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md, v1.0.2.

`{"payload":"<base64>","payloadType":"…","signatures":[{"keyid":"…","sig":"<base64>"}]}`
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass

from extproc.core.events import JSON
from extproc.core.receipt import PAYLOAD_TYPE
from extproc.errors import VerificationError
from extproc.evidence.strict_json import strict_object

_TYPE = PAYLOAD_TYPE.encode()
MAX_LINE_BYTES = 4096  # a receipt of 1,900 bytes makes a line of about 2,840


@dataclass(frozen=True, slots=True)
class Envelope:
    """One payload of type PAYLOAD_TYPE and its one signature, by the key that `kid` names."""

    payload: bytes
    kid: str
    signature: bytes


def pae(payload: bytes) -> bytes:
    """The pre-authentication encoding of a receipt: the bytes that are signed."""
    return b"DSSEv1 %d %b %d %b" % (len(_TYPE), _TYPE, len(payload), payload)


def encode(envelope: Envelope) -> bytes:
    """One line, its newline included."""
    return b'{"payload":"%b","payloadType":"%b","signatures":[{"keyid":"%b","sig":"%b"}]}\n' % (
        binascii.b2a_base64(envelope.payload, newline=False),
        _TYPE,
        envelope.kid.encode(),
        binascii.b2a_base64(envelope.signature, newline=False),
    )


def decode(line: bytes) -> Envelope:
    """Read one line, with or without its newline; the signature is **not** checked.

    Raises VerificationError for everything but exactly these members, this payload type, one signature and canonical
    base64.
    """
    if len(line) > MAX_LINE_BYTES:
        raise VerificationError(f"a line of more than {MAX_LINE_BYTES} bytes")
    match strict_object(line):
        case {"payload": data, "payloadType": kind, "signatures": [{"keyid": str(kid), "sig": sig, **odd}], **more}:
            if odd or more:
                raise VerificationError("an envelope with unknown members")
            if kind != PAYLOAD_TYPE:
                raise VerificationError(f"a payload that is not of type {PAYLOAD_TYPE}")
            return Envelope(payload=_bytes(data), kid=kid, signature=_bytes(sig))
        case _:
            raise VerificationError("not an envelope with a payload, its type and exactly one signature")


def _bytes(text: JSON) -> bytes:
    """Undo base64 strictly: one text for each value (RFC 4648, section 3.5)."""
    try:
        value = b64decode(text, validate=True) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        value = b""
    if not value or b64encode(value).decode() != text:
        raise VerificationError("a payload or signature that is not canonical base64")
    return value
