"""What the files of `tls` may hold, and the sentence about what they may not."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from conformance.real import settings_document
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from server.authority import ENDED, GATEWAY, LONG, NOW, SERVER, Authority, Files, Identity, Key

from extproc.config.settings import Tls
from extproc.errors import CertificateError
from extproc.server.certificates import Certificates, read_certificates

CA = Authority()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "tls").write(CA.certify(SERVER), CA.root)


def read(files: Files) -> Certificates:
    return read_certificates(Tls.model_validate(files.settings), NOW)


def refused(files: Files) -> str:
    """The sentence, without the folder."""
    with pytest.raises(CertificateError) as raised:
        read(files)
    return str(raised.value).replace(f"{files.folder}/", "")


def test_the_files_are_served_as_they_are(files: Files) -> None:
    identity = CA.certify(SERVER, until=NOW + timedelta(hours=1))
    files.write(identity, CA.root)

    found = read(files)

    until = (NOW + timedelta(hours=1)).replace(microsecond=0)
    assert found == Certificates(identity.certificate, identity.key, CA.root, until)
    assert "PRIVATE" not in repr(found)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: rsa.generate_private_key(65537, 2048),
    ],
)
def test_keys_of_these_kinds_are_served_with(files: Files, make: Callable[[], Key]) -> None:
    read(files.write(CA.certify(SERVER, key=make()), CA.root))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - to be refused
        ed25519.Ed25519PrivateKey.generate,
    ],
)
def test_keys_of_other_kinds_are_refused(files: Files, make: Callable[[], Key]) -> None:
    assert refused(files.write(CA.certify(SERVER, key=make()), CA.root)) == (
        "tls.key: tls.key is of a kind that is not served with: make an EC key on P-256 or P-384, "
        "or an RSA key of 2048 bits or more"
    )


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "ca.crt"])
def test_a_file_that_is_not_there_is_named(files: Files, name: str) -> None:
    (files.folder / name).unlink()
    assert refused(files) == f"tls: {name} cannot be read (No such file or directory): name a readable PEM file"


@pytest.mark.parametrize("name", ["tls.crt", "ca.crt"])
@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_holds_no_certificate_is_named(files: Files, name: str, content: bytes) -> None:
    (files.folder / name).write_bytes(content)
    assert refused(files) == f"tls: {name} is not one or more certificates in PEM"


def test_a_key_with_a_password_is_refused(files: Files) -> None:
    key = load_pem_private_key((files.folder / "tls.key").read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (files.folder / "tls.key").write_bytes(locked)
    assert refused(files) == "tls.key: tls.key is not an unencrypted private key in PEM"


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    other = Identity(CA.certify(SERVER).certificate, CA.certify(SERVER).key)
    assert refused(files.write(other, CA.root)) == (
        "tls.key: tls.key is not the key of the first certificate in tls.crt"
    )


def test_a_certificate_that_has_ended_is_refused_anywhere_in_the_chain(files: Files) -> None:
    ended = CA.certify(SERVER, until=ENDED)
    says = f"valid from {NOW - 2 * LONG:%F %T}Z to {ENDED:%F %T}Z: renew it"
    expected = f"tls.certificate: tls.crt holds a certificate that is out of its time, {says}"
    assert refused(files.write(ended, CA.root)) == expected

    good = CA.certify(SERVER)
    chain = good.certificate + Authority(until=ENDED).root
    assert refused(files.write(Identity(chain, good.key), CA.root)) == expected


def test_a_certificate_that_has_not_begun_is_refused(files: Files) -> None:
    with pytest.raises(CertificateError, match="is out of its time"):
        read_certificates(Tls.model_validate(files.settings), NOW - 3 * LONG)


def test_a_certificate_that_is_no_cas_certifies_nobody(files: Files) -> None:
    one = CA.certify(GATEWAY).certificate
    for authorities in (one, CA.root + one):
        assert refused(files.write(CA.certify(SERVER), authorities)) == (
            "tls.client_ca: ca.crt holds a certificate that is no CA's: name the CA's own"
        )


def test_a_chain_ends_with_the_first_of_its_certificates(files: Files) -> None:
    until = (NOW + timedelta(hours=1)).replace(microsecond=0)
    leaf = CA.certify(SERVER)

    files.write(Identity(leaf.certificate + Authority(until=until).root, leaf.key), CA.root)

    assert read(files).not_after == until


def test_one_ca_of_two_may_have_ended(files: Files) -> None:
    ended = Authority(until=ENDED).root
    read(files.write(CA.certify(SERVER), ended + CA.root))
    assert refused(files.write(CA.certify(SERVER), ended)).startswith(
        "tls.client_ca: ca.crt holds a certificate that is out of its time, valid from "
    )


def test_a_server_does_not_start_with_them_and_says_why_in_one_sentence(tmp_path: Path) -> None:
    files = Files(tmp_path / "tls").write(CA.certify(SERVER, until=ENDED), CA.root)
    config = {"listen": "127.0.0.1:0", "tls": dict(files.settings)}
    (tmp_path / "extproc.yaml").write_text(yaml.safe_dump(settings_document(tmp_path, config)))
    command = [sys.executable, "-m", "extproc", "serve", "--config", str(tmp_path / "extproc.yaml")]
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    sentence = refused(files).replace("tls.crt", f"{files.folder}/tls.crt")
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (2, f"extproc: {sentence}")
    assert '"serving"' not in ended.stderr
