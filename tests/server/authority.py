"""A certificate authority of one test, with certificates of every kind that a peer may show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)  # noqa: TID251 - certificates are judged by the real clock
LONG = timedelta(days=365)
ENDED = NOW - timedelta(days=1)
GATEWAY = "spiffe://cluster.local/ns/istio-ingress/sa/gateway"
SERVER = "extproc.test"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate and its key, PEM both."""

    certificate: bytes
    key: bytes


class Authority:
    """Certifies whatever a test asks for."""

    def __init__(self, *, until: datetime = NOW + LONG) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
        ca = x509.BasicConstraints(ca=True, path_length=None)
        root = _builder(self._name, self._name, self._key, until).add_extension(ca, critical=True)
        self.root = root.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def certify(
        self, *names: str, dns: Iterable[str] = (), until: datetime = NOW + LONG, key: Key | None = None
    ) -> Identity:
        """A certificate for these URIs and DNS names; `dns` are DNS names whatever they look like."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        sans = [x509.UniformResourceIdentifier(name) if "://" in name else x509.DNSName(name) for name in names]
        sans += map(x509.DNSName, dns)
        leaf = _builder(x509.Name([]), self._name, key, until)
        if sans:
            leaf = leaf.add_extension(x509.SubjectAlternativeName(sans), critical=True)
        certificate = leaf.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        return Identity(certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, until: datetime) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder(issuer_name=issuer, subject_name=subject, public_key=key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(NOW - 2 * LONG).not_valid_after(until)


@dataclass(frozen=True, slots=True)
class Files:
    """Where one end of a connection has its certificate, its key and the CA of the other end."""

    folder: Path

    @property
    def settings(self) -> Mapping[str, object]:
        """The section `tls` of a server that lets GATEWAY ask."""
        names = {"certificate": "tls.crt", "key": "tls.key", "client_ca": "ca.crt"}
        return {key: str(self.folder / name) for key, name in names.items()} | {"client_san": [GATEWAY]}

    def write(self, identity: Identity, root: bytes) -> "Files":
        """Put other files in their place, each of them whole."""
        self.folder.mkdir(exist_ok=True)
        for name, content in (("tls.crt", identity.certificate), ("tls.key", identity.key), ("ca.crt", root)):
            draft = self.folder / f".{name}"
            draft.write_bytes(content)
            draft.rename(self.folder / name)
        return self
