"""A certificate authority of this run, and the SPIFFE identities that it certifies."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_BEGIN, _DAYS = datetime(2026, 1, 1), timedelta(days=36_500)  # noqa: DTZ001 - X.509 has UTC and no zone


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, PEM both."""

    certificate: bytes
    key: bytes


class Authority:
    """What Istio's CA is to a mesh."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "cluster.local")])
        root = self._builder(self._key, self._name).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.root = root.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def identity(self, namespace: str, service_account: str) -> Identity:
        """Of `spiffe://cluster.local/ns/NAMESPACE/sa/SERVICE_ACCOUNT`, for both ends of a connection."""
        key = ec.generate_private_key(ec.SECP256R1())
        uri = x509.UniformResourceIdentifier(f"spiffe://cluster.local/ns/{namespace}/sa/{service_account}")
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        leaf = self._builder(key, x509.Name([]))
        leaf = leaf.add_extension(x509.SubjectAlternativeName([uri]), critical=True).add_extension(
            usages, critical=False
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Identity(leaf.sign(self._key, SHA256()).public_bytes(Encoding.PEM), private)

    def _builder(self, key: ec.EllipticCurvePrivateKey, subject: x509.Name) -> x509.CertificateBuilder:
        builder = x509.CertificateBuilder(issuer_name=self._name, subject_name=subject, public_key=key.public_key())
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(_BEGIN).not_valid_after(_BEGIN + _DAYS)
