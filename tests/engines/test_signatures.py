import io
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from extproc.engines.signatures import BundleKey
from extproc.engines.sources import load
from extproc.errors import PolicyLoadError

OPA = Path(__file__).parents[2] / ".tools" / "bin" / "opa"
REGO = "package a\n\nd := data.limit\n"
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle that the real OPA signed, and with the keys of it."""
    folder = tmp_path_factory.mktemp("signed")
    for name in ("key", "other"):
        key = generate_private_key(SECP256R1())
        (folder / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pub").write_bytes(public)
    (folder / "policy").mkdir()
    (folder / "policy" / "a.rego").write_text(REGO)
    (folder / "policy" / "data.json").write_text('{"limit": 5, "big": 10000000000000000000000001}')
    (folder / "claims.json").write_text('{"scope": "write", "keyid": "default"}')
    _build(folder, "signed.tar.gz", "--signing-key", "key.pem", "--signing-alg", "ES256")
    _build(
        folder, "scoped.tar.gz", "--signing-key", "key.pem", "--signing-alg", "ES256", "--claims-file", "claims.json"
    )
    _build(folder, "secret.tar.gz", "--signing-key", "a shared secret", "--signing-alg", "HS256")
    _build(folder, "plain.tar.gz")
    return folder


def _build(folder: Path, name: str, *arguments: str) -> None:
    command = [OPA, "build", "--bundle", "policy", "--revision", "r7", "--output", name, *arguments]
    subprocess.run(command, cwd=folder, check=True, env={**os.environ, "HOME": str(folder)})


def _key(folder: Path, name: str = "key", scope: str = "") -> dict[str, BundleKey]:
    return {"default": BundleKey(folder / f"{name}.pub", "ES256", scope)}


def _refusal(path: Path, keys: dict[str, BundleKey]) -> str:
    with pytest.raises(PolicyLoadError) as caught:
        load([path], {}, keys)
    return str(caught.value)


@pytest.fixture
def altered(folder: Path, tmp_path: Path) -> Callable[[Callable[[Files], object]], Path]:
    """The signed bundle after a change of its files."""

    def alter(change: Callable[[Files], object]) -> Path:
        with tarfile.open(folder / "signed.tar.gz") as archive:
            files = {member.name: (archive.extractfile(member) or io.BytesIO()).read() for member in archive}
        change(files)
        path = tmp_path / "altered.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return path

    return alter


def test_a_bundle_that_a_known_key_signed_is_loaded_with_its_revision(folder: Path) -> None:
    loaded = load([folder / "signed.tar.gz"], {}, _key(folder))
    assert list(loaded.modules.values()) == [REGO]
    assert (json.loads(loaded.data), loaded.revision) == ({"limit": 5, "big": 10**25 + 1}, "r7")


def test_the_scope_of_a_signature_is_that_of_its_key(folder: Path) -> None:
    assert load([folder / "scoped.tar.gz"], {}, _key(folder, scope="write")).revision == "r7"
    assert "scope mismatch" in _refusal(folder / "signed.tar.gz", _key(folder, scope="write"))
    assert "scope mismatch" in _refusal(folder / "scoped.tar.gz", _key(folder))


def test_a_shared_secret_verifies_as_well(folder: Path) -> None:
    (folder / "secret").write_text("a shared secret")
    keys = {"default": BundleKey(folder / "secret", "HS256")}
    assert load([folder / "secret.tar.gz"], {}, keys).revision == "r7"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda files: files.update({"/policy/a.rego": b"package a\n\nd := 1\n"}), "a.rego: digest mismatch"),
        (lambda files: files.update({"/data.json": b'{"limit": 6, "big": 1}'}), "data.json: digest mismatch"),
        (
            lambda files: files.update({"/data.json": b'{"limit": 5, "big": 10000000000000000000000002}'}),
            "data.json: digest mismatch",
        ),
        (lambda files: files.update({"/.manifest": b'{"revision": "r8"}'}), ".manifest: digest mismatch"),
        (lambda files: files.update({"/more.rego": b"package b\n"}), "more.rego not included in bundle signature"),
        (lambda files: files.update({"/x.txt": b"no policy"}), "x.txt not included in bundle signature"),
        (lambda files: files.pop("/data.json"), "signed, but not in the bundle: data.json"),
        (lambda files: files.pop("/.signatures.json"), "the bundle has no .signatures.json"),
        (lambda files: files.update({"/.signatures.json": b"{}"}), "missing JWT"),
        (lambda files: files.update({"/.signatures.json": b'{"plugin": "x", "signatures": ["a"]}'}), "no verifier"),
        (
            lambda files: files.update({"/.signatures.json": files["/.signatures.json"][:-60] + b'AA"]}'}),
            "failed to",
        ),
        (lambda files: files.update({"/x/data.yaml": b"a: 1"}), "x/data.yaml cannot be verified: `opa build` makes"),
    ],
)
def test_a_bundle_that_is_not_what_was_signed_is_refused(
    folder: Path, altered: Callable[[Callable[[Files], object]], Path], change: Callable[[Files], object], sentence: str
) -> None:
    path = altered(change)
    message = _refusal(path, _key(folder))
    assert message.startswith(str(path))
    assert sentence in message


def test_an_unchanged_bundle_that_was_packed_anew_is_loaded(
    folder: Path, altered: Callable[[Callable[[Files], object]], Path]
) -> None:
    assert load([altered(len)], {}, _key(folder)).revision == "r7"


def test_only_a_key_of_the_configuration_and_its_algorithm_count(folder: Path) -> None:
    path = folder / "signed.tar.gz"
    assert "failed to verify JWT signature" in _refusal(path, _key(folder, "other"))
    assert "verification key corresponding to ID default not found" in _refusal(
        path, {"another": BundleKey(folder / "key.pub", "ES256")}
    )
    assert "failed to verify JWT signature" in _refusal(path, {"default": BundleKey(folder / "key.pub", "HS256")})
    assert "failed to verify JWT signature" in _refusal(path, {"default": BundleKey(folder / "key.pub", "RS256")})


def test_what_is_not_signed_is_refused_where_keys_are_configured(folder: Path) -> None:
    assert "the bundle has no .signatures.json" in _refusal(folder / "plain.tar.gz", _key(folder))
    assert _refusal(folder / "policy", _key(folder)) == (
        f"{folder}/policy is no bundle: policy.bundle_keys asks for signed ones, so name a .tar.gz"
    )
    assert load([folder / "plain.tar.gz"], {}).revision == "r7"


def test_a_key_file_that_cannot_be_read_is_named(folder: Path) -> None:
    keys = {"default": BundleKey(folder / "no.pub", "ES256")}
    message = _refusal(folder / "signed.tar.gz", keys)
    assert message.startswith(f"{folder}/no.pub cannot be read")
    assert message.endswith("correct policy.bundle_keys")


def test_a_bundle_of_an_older_rego_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text(REGO)
    (tmp_path / ".manifest").write_text('{"rego_version": 0}')
    with pytest.raises(PolicyLoadError, match="only Rego v1 is evaluated"):
        load([tmp_path], {})
