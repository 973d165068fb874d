"""A certificate authority of this run, as one brings one's own to Istio, and what a pod asks of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_BEGIN, _DAYS = datetime(2026, 1, 1), timedelta(days=36_500)  # noqa: DTZ001 - X.509 has UTC and no zone


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with its chain, and its key; PEM both."""

    certificate: bytes
    key: bytes


class Authority:
    """A root that signs for itself; istiod signs the pods' certificates with its key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")])
        builder = x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=self._key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(_BEGIN).not_valid_after(_BEGIN + _DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.root = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def cacerts(self, folder: Path) -> None:
        """The files of the Secret of that name, where istiod looks for them."""
        folder.mkdir()
        (folder / "ca-key.pem").write_bytes(_private(self._key))
        for name in ("ca-cert.pem", "root-cert.pem", "cert-chain.pem"):
            (folder / name).write_bytes(self.root)


def signing_request() -> tuple[bytes, bytes]:
    """A new key's signing request without a name, for istiod knows who asks; and the key.  PEM both."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([])).sign(key, SHA256())
    return request.public_bytes(Encoding.PEM), _private(key)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
