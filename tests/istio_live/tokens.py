"""An issuer of JSON Web Tokens (ES256, RFC 7515 and 7517), with a key of this run."""

import base64
import json

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

NEVER = 4_102_444_800  # 2100, in seconds since 1970


class Issuer:
    """Signs what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())

    def jwks(self) -> str:
        """The public key, for `jwtRules.jwks`."""
        public = self._key.public_key().public_numbers()
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.name}
        return json.dumps({"keys": [{**key, "x": _number(public.x), "y": _number(public.y)}]})

    def token(self, **claims: object) -> str:
        """A token of this issuer that does not expire unless `exp` says so."""
        head = {"alg": "ES256", "typ": "JWT", "kid": self.name}
        signed = f"{_part(head)}.{_part({'iss': self.name, 'exp': NEVER, **claims})}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{_text(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _number(value: int) -> str:
    return _text(value.to_bytes(32, "big"))


def _part(document: object) -> str:
    return _text(json.dumps(document).encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
