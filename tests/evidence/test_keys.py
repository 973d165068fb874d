import json
import stat
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from extproc.errors import KeyFileError, VerificationError
from extproc.evidence.keys import (
    KeyRing,
    Signer,
    create_signer,
    jwks,
    load_hmac_key,
    load_key_ring,
    load_or_create_hmac_key,
    load_signer,
    pseudonym,
)

# RFC 8037, appendix A: the key of the examples and its thumbprint
RFC_8037_PRIVATE = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_8037_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
RFC_8037_KID = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.fixture
def published() -> Signer:
    return Signer(Ed25519PrivateKey.from_private_bytes(RFC_8037_PRIVATE))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "key"


def key_document(**changes: str) -> str:
    return json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X, **changes}]})


def test_the_key_id_is_the_rfc_7638_thumbprint(published: Signer) -> None:
    assert published.kid == RFC_8037_KID


def test_a_signer_made_is_the_signer_loaded(file: Path) -> None:
    made = create_signer(file)
    loaded = load_signer(file)
    assert (loaded.kid, loaded.sign(b"receipt")) == (made.kid, made.sign(b"receipt"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_key_file_that_exists_is_left_alone(file: Path) -> None:
    file.write_text("precious")
    with pytest.raises(KeyFileError, match="exists and is left alone: name another file"):
        create_signer(file)
    assert file.read_text() == "precious"
    assert list(file.parent.iterdir()) == [file]


def test_a_key_file_gets_the_folders_it_needs(tmp_path: Path) -> None:
    create_signer(tmp_path / "a" / "b" / "key")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_key_file_below_a_file_is_refused(file: Path) -> None:
    file.write_text("")
    with pytest.raises(KeyFileError, match=r"cannot be made \(File exists\): name a writable place"):
        create_signer(file / "key")


def test_a_missing_key_file_is_refused_with_its_name(file: Path) -> None:
    with pytest.raises(KeyFileError, match=r"key cannot be read \(No such file or directory\): name a readable"):
        load_signer(file)


def _private_pem(encrypted: bool) -> bytes:  # noqa: FBT001 - one of the cases below
    how = BestAvailableEncryption(b"secret") if encrypted else NoEncryption()
    key = Ed25519PrivateKey.generate() if encrypted else generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


@pytest.mark.parametrize("content", [b"", b"nonsense", _private_pem(encrypted=True), _private_pem(encrypted=False)])
def test_only_an_unencrypted_ed25519_key_signs(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(KeyFileError, match="not an unencrypted Ed25519 key in PKCS #8 PEM: make one with"):
        load_signer(file)


def test_a_signature_fits_only_its_bytes_and_its_key(published: Signer) -> None:
    signature = published.sign(b"receipt")
    published.verifier.verify(signature, b"receipt")
    for wrong, message in ((signature, b"receipT"), (signature[:-1], b"receipt"), (bytes(64), b"receipt")):
        with pytest.raises(VerificationError, match="does not fit"):
            published.verifier.verify(wrong, message)


def test_the_published_jwk_set_is_what_pinning_reads(published: Signer, file: Path) -> None:
    file.write_text(jwks([published.verifier]))
    assert json.loads(file.read_text()) == {
        "keys": [{"kty": "OKP", "crv": "Ed25519", "x": RFC_8037_X, "kid": RFC_8037_KID, "use": "sig", "alg": "Ed25519"}]
    }
    ring = load_key_ring(file)
    ring.verify(RFC_8037_KID, published.sign(b"receipt"), b"receipt")
    assert ring.kids == {RFC_8037_KID}


def test_a_public_key_in_pem_can_be_pinned(published: Signer, file: Path) -> None:
    file.write_text(published.verifier.pem())
    load_key_ring(file).verify(RFC_8037_KID, published.sign(b"receipt"), b"receipt")


def test_a_key_that_is_not_pinned_verifies_nothing(published: Signer) -> None:
    with pytest.raises(VerificationError, match=f"key '{RFC_8037_KID}' is not among the pinned keys"):
        KeyRing([]).verify(RFC_8037_KID, published.sign(b"receipt"), b"receipt")


def test_a_private_key_cannot_be_pinned(file: Path, tmp_path: Path) -> None:
    create_signer(file)
    private_jwk = tmp_path / "private.jwks"
    private_jwk.write_text(key_document(d="nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"))
    for path in (file, private_jwk):
        with pytest.raises(KeyFileError, match="holds a private key: pin the public one, which `extproc keys show`"):
            load_key_ring(path)


@pytest.mark.parametrize("content", ["", "nonsense", "[]", "{}", '{"keys": []}', '{"keys": 1}', "[" * 100_000])
def test_what_is_no_key_set_cannot_be_pinned(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(KeyFileError, match="is neither a JWK Set nor a public key in PEM: see `extproc keys show`"):
        load_key_ring(file)


@pytest.mark.parametrize(
    "content", ['{"keys": [1]}', key_document(kty="EC"), key_document(crv="Ed448"), '{"keys": [{"kty": "OKP"}]}']
)
def test_a_key_of_another_kind_cannot_be_pinned(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(KeyFileError, match="not an Ed25519 JWK"):
        load_key_ring(file)


def test_a_key_id_that_is_no_thumbprint_cannot_be_pinned(file: Path) -> None:
    file.write_text(key_document(kid="prod-key"))
    with pytest.raises(KeyFileError, match=f"not its RFC 7638 thumbprint {RFC_8037_KID}"):
        load_key_ring(file)


@pytest.mark.parametrize(
    "x",
    [
        "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  # the neutral element
        RFC_8037_X[:-1] + "p",  # the same bytes with other bits in the padding
        RFC_8037_X + "=",
        RFC_8037_X[:-1],
        "ä",
        "",
    ],
)
def test_a_key_that_binds_no_one_cannot_be_pinned(file: Path, x: str) -> None:
    file.write_text(key_document(x=x))
    with pytest.raises(KeyFileError, match="no point of large order on the curve: replace it"):
        load_key_ring(file)


def test_a_pem_of_another_kind_cannot_be_pinned(file: Path, published: Signer) -> None:
    other = generate_private_key(SECP256R1()).public_key()
    broken = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    several = published.verifier.pem() * 2
    for content in (other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), broken, several):
        file.write_text(content)
        with pytest.raises(KeyFileError, match="not one Ed25519 public key in PEM: put several keys into a JWK Set"):
            load_key_ring(file)


def test_an_hmac_key_is_made_once(file: Path) -> None:
    made = load_or_create_hmac_key(file)
    assert (len(made), load_or_create_hmac_key(file), load_hmac_key(file)) == (32, made, made)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_hmac_key_that_another_process_made_meanwhile_is_used(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = load_or_create_hmac_key(file)
    monkeypatch.setattr(Path, "exists", lambda _: False)  # the other one was quicker after this look
    assert load_or_create_hmac_key(file) == made


@pytest.mark.parametrize("content", [b"", b"ab" * 31, b"ab" * 33, b"zz" * 32, bytes(32)])
def test_an_hmac_key_is_64_hexadecimal_digits(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(KeyFileError, match="not an HMAC key of 64 hexadecimal digits: make one with `openssl rand"):
        load_hmac_key(file)


def test_an_hmac_key_may_end_in_a_newline(file: Path) -> None:
    file.write_bytes(b"AB" * 32 + b"\n")
    assert load_hmac_key(file) == b"\xab" * 32


def test_a_pseudonym_is_the_hmac_of_rfc_4231() -> None:
    """Test case 1, truncated to 128 bits."""
    assert pseudonym(b"\x0b" * 20)("Hi There") == "b0344c61d8db38535ca8afceaf0bf12b"


def test_a_pseudonym_hangs_on_name_and_key() -> None:
    first, second = pseudonym(b"1" * 32), pseudonym(b"2" * 32)
    long = "x" * 10_000
    assert len({first("alice"), first("bob"), second("alice"), first(long), second(long)}) == 5
    assert first("alice") == first("alice") != sha256(b"alice").hexdigest()[:32]
