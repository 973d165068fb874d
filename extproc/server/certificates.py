"""The files of `tls`, read and held against each other before anybody is served with them.

X.509 is that of RFC 5280, read by `cryptography`.  This says whether grpc can serve with what it has
read; chains of clients are judged by grpc's own TLS, BoringSSL.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from extproc.config.settings import Tls
from extproc.errors import CertificateError

_UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
LEAST_RSA_BITS = 2048
"""NIST SP 800-57 part 1, revision 5, table 2: 112 bits of strength."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM, as it was read: our certificate with what leads to its root, its key, and the CAs of clients.

    `not_after` is when the first certificate of the chain ends, in UTC.
    """

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes
    not_after: datetime


def read_certificates(tls: Tls, now: datetime) -> Certificates:
    """The three files, where they are good at `now`.

    Raises CertificateError for a file that cannot be read or is of another kind, a key that is not the certificate's,
    a certificate out of its time, and for CAs that are none or all out of theirs.  It does **not** check that the
    chain leads to a root that the client trusts, nor revocation.
    """
    chain, key, client_ca = (_read(file) for file in (tls.certificate, tls.key, tls.client_ca))
    certificates = _parse(chain, tls.certificate)
    for one in certificates:
        if not _in_its_time(one, now):
            raise CertificateError(f"tls.certificate: {tls.certificate} {_when(one)}: renew it")
    _check_key(certificates[0], key, tls)
    authorities = _parse(client_ca, tls.client_ca)
    if not all(map(_is_authority, authorities)):
        raise CertificateError(f"tls.client_ca: {tls.client_ca} holds a certificate that is no CA's: name the CA's own")
    if not any(_in_its_time(one, now) for one in authorities):
        raise CertificateError(f"tls.client_ca: {tls.client_ca} {_when(authorities[0])}: renew it")
    return Certificates(chain, key, client_ca, min(one.not_valid_after_utc for one in certificates))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateError(f"tls: {file} cannot be read ({error.strerror}): name a readable PEM file") from None


def _parse(text: bytes, file: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except _UNREADABLE:
        raise CertificateError(f"tls: {file} is not one or more certificates in PEM") from None


def _check_key(certificate: x509.Certificate, text: bytes, tls: Tls) -> None:
    """Raises CertificateError for a key that is not that of the certificate, or that grpc cannot serve with."""
    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError(f"tls.key: {tls.key} is not an unencrypted private key in PEM") from None
    public = key.public_key()
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        same = public.public_bytes(*form) == certificate.public_key().public_bytes(*form)
    except _UNREADABLE:
        same = False
    if not same:
        raise CertificateError(f"tls.key: {tls.key} is not the key of the first certificate in {tls.certificate}")
    match public:
        case RSAPublicKey(key_size=size) if size >= LEAST_RSA_BITS:
            return
        case EllipticCurvePublicKey(curve=SECP256R1() | SECP384R1()):
            return
        case _:
            raise CertificateError(
                f"tls.key: {tls.key} is of a kind that is not served with: make an EC key on P-256 or P-384, "
                f"or an RSA key of {LEAST_RSA_BITS} bits or more"
            )


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, *_UNREADABLE):
        return False


def _in_its_time(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _when(certificate: x509.Certificate) -> str:
    return (
        f"holds a certificate that is out of its time, valid from {certificate.not_valid_before_utc:%F %T}Z "
        f"to {certificate.not_valid_after_utc:%F %T}Z"
    )
