"""Ed25519 keys (RFC 8032) that sign receipts, the pinned keys that check them, and the key that hides names.

The only importer of `cryptography` but for X.509 (extproc.server.certificates).  A key id is the RFC 7638 thumbprint
of the public key's JWK (RFC 8037).
"""

import hmac
import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from extproc.core.events import JSON
from extproc.core.receipt import Pseudonym
from extproc.errors import KeyFileError, VerificationError
from extproc.evidence.edwards25519 import is_sound
from extproc.evidence.key_files import create_key_file, read_key_file

HMAC_KEY_BYTES = 32
_PSEUDONYM_DIGITS = 32  # 128 bits: no two names of one site will meet
_CACHED_NAME = 512  # characters; with _CACHED_NAMES at most about 1 MiB
_CACHED_NAMES = 1024
_HEX_KEY = re.compile(rb"\s*([0-9a-fA-F]{64})\s*")


class Verifier:
    """One public key; `kid` names it."""

    def __init__(self, public: Ed25519PublicKey) -> None:
        """Take a key that is_sound."""
        self._public = public
        self._x = _base64url(public.public_bytes_raw())
        # RFC 7638: the required members of an OKP key, sorted, without space
        self.kid = _base64url(sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{self._x}"}}'.encode()).digest())

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if the signature is this key's over exactly this message, else raise VerificationError."""
        try:
            self._public.verify(signature, message)
        except InvalidSignature:
            raise VerificationError("the signature does not fit the bytes and the key") from None

    def jwk(self) -> dict[str, JSON]:
        """The public JWK (RFC 8037, `alg` by RFC 9864)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": self._x, "kid": self.kid, "use": "sig", "alg": "Ed25519"}

    def pem(self) -> str:
        """The public key as SubjectPublicKeyInfo in PEM."""
        return self._public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class Signer:
    """One private key; it leaves this object only as signatures."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        """Derive the public half."""
        self._private = private
        self.verifier = Verifier(private.public_key())

    @property
    def kid(self) -> str:
        """The key id of the public half."""
        return self.verifier.kid

    def sign(self, message: bytes) -> bytes:
        """Sign with pure Ed25519: 64 bytes."""
        return self._private.sign(message)


class KeyRing:
    """The keys that the one who verifies has pinned; the key named by a receipt is only looked up, never believed."""

    def __init__(self, verifiers: Iterable[Verifier]) -> None:
        """Index them by key id."""
        self._verifiers = {verifier.kid: verifier for verifier in verifiers}

    @property
    def kids(self) -> frozenset[str]:
        """The ids of the pinned keys."""
        return frozenset(self._verifiers)

    def verify(self, kid: str, signature: bytes, message: bytes) -> None:
        """Return if pinned key `kid` signed the message; raise VerificationError for another key or another message."""
        verifier = self._verifiers.get(kid)
        if verifier is None:
            raise VerificationError(f"key {kid!r} is not among the pinned keys")
        verifier.verify(signature, message)


def jwks(verifiers: Iterable[Verifier]) -> str:
    """The JWK Set (RFC 7517) of these keys, as it is served and pinned."""
    return json.dumps({"keys": [verifier.jwk() for verifier in verifiers]}, indent=2) + "\n"


def load_signer(path: Path) -> Signer:
    """Read an unencrypted Ed25519 private key in PKCS #8 PEM; raises KeyFileError."""
    return parse_signer(read_key_file(path), path)


def parse_signer(text: bytes, path: Path) -> Signer:
    """The same, from what was read from the file before."""
    try:
        private = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path} is not an unencrypted Ed25519 key in PKCS #8 PEM: make one with `extproc keys new`")
    return Signer(private)


def create_signer(path: Path) -> Signer:
    """Make a key and its file (mode 0600, whole or not at all); raises KeyFileError, also where the file exists."""
    private = Ed25519PrivateKey.generate()
    try:
        create_key_file(path, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except FileExistsError:
        raise KeyFileError(f"{path} exists and is left alone: name another file") from None
    return Signer(private)


def load_key_ring(path: Path) -> KeyRing:
    """Read pinned keys: a JWK Set, or one public key in SPKI PEM; raises KeyFileError.

    Every key in it must be a sound Ed25519 public key.  A private key is refused: whoever only verifies must not hold
    it.  A `kid` in a JWK must be the key's thumbprint.
    """
    text = read_key_file(path)
    if b"PRIVATE KEY" in text:
        raise KeyFileError(f"{path} holds a private key: pin the public one, which `extproc keys show` prints")
    if b"-----BEGIN" in text:
        return KeyRing([_from_pem(text, path)])
    try:
        document: JSON = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    match document:
        case {"keys": [_, *_] as keys}:
            return KeyRing([_from_jwk(key, path) for key in keys])
        case _:
            raise KeyFileError(f"{path} is neither a JWK Set nor a public key in PEM: see `extproc keys show`")


def _from_pem(text: bytes, path: Path) -> Verifier:
    try:
        public = load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, Ed25519PublicKey) or text.count(b"-----BEGIN") != 1:
        raise KeyFileError(f"{path} is not one Ed25519 public key in PEM: put several keys into a JWK Set")
    return _checked(public.public_bytes_raw(), path)


def _from_jwk(key: JSON, path: Path) -> Verifier:
    match key:
        case {"d": _}:
            raise KeyFileError(f"{path} holds a private key: pin the public one, which `extproc keys show` prints")
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x), **rest}:
            verifier = _checked(_bytes_of(x), path)
            if rest.get("kid", verifier.kid) != verifier.kid:
                raise KeyFileError(f"{path} has a key whose kid is not its RFC 7638 thumbprint {verifier.kid}")
            return verifier
        case _:
            raise KeyFileError(f"{path} has a key that is not an Ed25519 JWK (RFC 8037): remove it")


def _bytes_of(x: str) -> bytes:
    """Undo base64url without padding; what is not canonical gives bytes that are no key."""
    try:
        public = urlsafe_b64decode(x + "=")
    except ValueError:
        return b""
    return public if _base64url(public) == x else b""


def _base64url(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _checked(public: bytes, path: Path) -> Verifier:
    if not is_sound(public):
        raise KeyFileError(f"{path} has a key that is no point of large order on the curve: replace it")
    return Verifier(Ed25519PublicKey.from_public_bytes(public))


def load_hmac_key(path: Path) -> bytes:
    """Read a key of 32 bytes, written as 64 hexadecimal digits (space around them is ignored); raises KeyFileError."""
    match = _HEX_KEY.fullmatch(read_key_file(path))
    if match is None:
        raise KeyFileError(f"{path} is not an HMAC key of 64 hexadecimal digits: make one with `openssl rand -hex 32`")
    return bytes.fromhex(match[1].decode())


def load_or_create_hmac_key(path: Path) -> bytes:
    """Read the key as load_hmac_key does; where there is no file make it, mode 0600.  Raises KeyFileError."""
    if not path.exists():
        with suppress(FileExistsError):
            create_key_file(path, f"{secrets.token_hex(HMAC_KEY_BYTES)}\n".encode())
    return load_hmac_key(path)


def pseudonym(key: bytes) -> Pseudonym:
    """A function from a name to the first 128 bits of its HMAC-SHA-256, in hexadecimal: equal names stay equal."""

    def digest(name: str) -> str:
        return hmac.digest(key, name.encode(), "sha256").hex()[:_PSEUDONYM_DIGITS]

    cached = lru_cache(_CACHED_NAMES)(digest)
    return lambda name: cached(name) if len(name) <= _CACHED_NAME else digest(name)
