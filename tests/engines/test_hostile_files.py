"""Files that are no policy set are refused in one sentence, whatever is in them."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from extproc.engines.sources import load
from extproc.errors import PolicyLoadError

REGO = b"package extproc.request\n\ndecision := true\n"
ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 30))


def bundle(folder: Path, *files: tuple[str, bytes], pax: dict[str, str] | None = None) -> Path:
    """A bundle of a policy and these files; `pax` are extended headers of each."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (("policy.rego", REGO), *files):
            member = tarfile.TarInfo(name)
            member.size, member.pax_headers = len(content), pax or {}
            archive.addfile(member, io.BytesIO(content))
    path = folder / "bundle.tar.gz"
    path.write_bytes(gzip.compress(out.getvalue()))
    return path


@pytest.mark.parametrize("pax", [{"GNU.sparse.map": "a,b"}, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}])
def test_a_sparse_file_that_is_none_is_refused(tmp_path: Path, pax: dict[str, str]) -> None:
    with pytest.raises(PolicyLoadError):
        load([bundle(tmp_path, ("data.json", b"{}"), pax=pax)], {})


def test_names_that_nest_too_deeply_are_refused(tmp_path: Path) -> None:
    deep = "a/" * 3_000
    files = [(f"{deep}{name}/data.json", b'{"x": 1}') for name in "bc"]
    with pytest.raises(PolicyLoadError, match="nests too deeply"):
        load([bundle(tmp_path, *files)], {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (ALIASES, "an alias"),
        ("allowed: [a]\nallowed: [a, b]\n", "the same key twice"),
        ("deep: {1: x}\n", "a key that is not text"),
        ("? [a]\n: x\n", "a key that is not text"),
        ("a: !!omap [x: 1, y: 2]\n", "`!!omap`, which JSON has not"),
        ("a: !!pairs [x: 1, x: 2]\n", "`!!pairs`, which JSON has not"),
        *(
            (f"open: {word}\n", f"`{word}`, a truth for one reader and text for another")
            for word in ("yes", "No", "OFF")
        ),
    ],
)
def test_yaml_that_can_be_read_in_two_ways_or_grows_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(PolicyLoadError, match=problem):
        load([bundle(tmp_path, ("data.yaml", text.encode()))], {})


@pytest.mark.parametrize("harm", ["flipped", "cut"])
def test_an_archive_that_is_damaged_after_its_first_file_is_refused(tmp_path: Path, harm: str) -> None:
    path = bundle(tmp_path, ("deny.rego", b"package extproc.request\n"))
    content = bytearray(gzip.decompress(path.read_bytes()))
    header = content.index(b"deny.rego")
    if harm == "flipped":
        content[header] ^= 1
    else:
        del content[header + 100 :]
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(PolicyLoadError, match="damaged or cut"):
        load([path], {})


@pytest.mark.parametrize("name", ["deep/.manifest", "other.manifest", ".manifest.pb"])
def test_a_manifest_that_only_opa_would_find_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyLoadError, match=r"only a `\.manifest` at the top is read"):
        load([bundle(tmp_path, (name, b'{"roots": []}'))], {})


def test_two_modules_that_opa_would_take_for_one_are_refused(tmp_path: Path) -> None:
    for byte in (b"\xfe", b"\xff"):
        folder = tmp_path / os.fsdecode(byte)
        folder.mkdir()
        (folder / "a.rego").write_bytes(REGO)
    with pytest.raises(PolicyLoadError, match="differ only where they are not UTF-8: rename one"):
        load([tmp_path], {})


def test_a_manifest_below_the_top_is_refused_in_a_folder_as_in_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "a.rego").write_bytes(REGO)
    (tmp_path / "x" / ".manifest").write_text("{}")
    with pytest.raises(PolicyLoadError, match=r"x/\.manifest: only a `\.manifest` at the top is read"):
        load([tmp_path], {})
