"""What a manifest says is held to, as OPA does."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from extproc.engines.sources import load
from extproc.errors import PolicyLoadError

OPA = Path(__file__).parents[2] / ".tools" / "bin" / "opa"
A = "package a.b\n\nd := true\n"
DATA = '{"b": {"x": 1}}'


def bundle(root: Path, manifest: Mapping[str, object], rego: str = A, **files: str) -> Path:
    """A folder with this manifest, a module, and data documents by the folder that they lie in."""
    (root / ".manifest").write_text(json.dumps(manifest))
    (root / "p.rego").write_text(rego)
    for folder, text in files.items():
        (root / folder).mkdir()
        (root / folder / "data.json").write_text(text)
    return root


def refusal(root: Path) -> str:
    """Why it is not loaded; empty where it is."""
    try:
        load([root], {})
    except PolicyLoadError as error:
        return str(error).replace(f"{root}/", "")
    return ""


def outside(file: str, place: str, roots: str) -> str:
    return f"{file}: {place} is outside of the manifest's roots ({roots}): move it, or add a root"


ROOTS: dict[str, tuple[list[str] | None, str, dict[str, str], str]] = {
    "none are named": (None, A, {"a": DATA}, ""),
    "null stands for all": (None, A, {"z": DATA}, ""),
    "the empty root holds all": ([""], A, {"z": DATA}, ""),
    "a slash is the empty root": (["/"], A, {"z": DATA}, ""),
    "the package itself": (["a/b"], A, {"a": DATA}, ""),
    "slashes around it": (["/a/b/"], A, {"a": DATA}, ""),
    "a wider one": (["a"], A, {"a": DATA}, ""),
    "two": (["a/b", "z"], A, {"a": DATA, "z": DATA}, ""),
    "an empty object on the way": (["a/b"], A, {"a": "{}"}, ""),
    "package beside it": (["a/c"], A, {}, outside("p.rego", "data.a.b", "a/c")),
    "package above it": (["a/b/c"], A, {}, outside("p.rego", "data.a.b", "a/b/c")),
    "package with half of a name": (["a/bb"], A, {}, outside("p.rego", "data.a.b", "a/bb")),
    "no root": ([], A, {}, outside("p.rego", "data.a.b", "none")),
    "data beside it": (["a/b"], A, {"a": '{"c": 1}'}, outside("a/data.json", "data.a.c", "a/b")),
    "one of two values": (["a/b"], A, {"a": '{"b": 1, "c": 1}'}, outside("a/data.json", "data.a.c", "a/b")),
    "a value on the way": (
        ["a/b", "z/y"],
        A,
        {"z": '{"y": 1, "z": 2}'},
        outside("z/data.json", "data.z.z", "a/b, z/y"),
    ),
    "no object on the way": (
        ["a/b/c"],
        "package a.b.c\n\nd := 1\n",
        {"a": '{"b": 1}'},
        outside("a/data.json", "data.a.b", "a/b/c"),
    ),
    "a name in brackets": (["a/b-c/d"], 'package a["b-c"].d\n\nd := 1\n', {}, ""),
    "a name in brackets beside it": (
        ["a/b/c"],
        'package a["b/c"]\n\nd := 1\n',
        {},
        outside("p.rego", "data.a.b/c", "a/b/c"),
    ),
    "comments around the package": (["a/b"], "# package z\n\n  package a.b # package y\n\nd := 1\n", {}, ""),
    "overlap": (["a", "a/b"], A, {}, ".manifest: the roots `a` and `a/b` overlap: name the wider one alone"),
    "twice": (["a", "/a"], A, {}, ".manifest: the roots `a` and `a` overlap: name the wider one alone"),
    "all and one": (["", "a"], A, {}, ".manifest: the roots `` and `a` overlap: name the wider one alone"),
}


@pytest.mark.parametrize("case", ROOTS)
def test_what_lies_outside_of_the_roots_is_refused_by_name_where_opa_refuses_it(tmp_path: Path, case: str) -> None:
    roots, rego, files, expected = ROOTS[case]
    manifest = {"revision": "r1"} if case.startswith("none") else {"revision": "r1", "roots": roots}
    root = bundle(tmp_path, manifest, rego, **files)
    assert refusal(root) == expected
    opa = subprocess.run([OPA, "eval", "--bundle", root, "true"], capture_output=True, text=True, check=False)
    assert (opa.returncode != 0) == (expected != ""), opa.stdout + opa.stderr


@pytest.mark.parametrize(
    "line", ["package a[`b`]", "package a.b; import rego.v1", 'package a["\\u0062"]', "\ufeffpackage a.b"]
)
def test_a_package_that_cannot_be_told_is_refused_where_there_are_roots(tmp_path: Path, line: str) -> None:
    root = bundle(tmp_path, {"roots": ["a"]}, f"{line}\n\nd := 1\n")
    advice = "begin with a line like `package a.b`"
    assert refusal(root) == f"p.rego: its package cannot be told, and the manifest has roots: {advice}"
    assert refusal(bundle(tmp_path, {}, f"{line}\n\nd := 1\n")) == ""


def test_roots_are_those_of_one_path_and_not_of_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = bundle(tmp_path / "one", {"revision": "r1", "roots": ["a"]}, A)
    two = bundle(tmp_path / "two", {"revision": "r2", "roots": ["z"]}, "package z\n\nd := 1\n", z=DATA)
    assert load([one, two], {"anywhere": 1}).revision == "r1,r2"


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ({"roots": "a"}, "`roots` must be a list of strings such as `orders/limits`"),
        ({"roots": [1]}, "`roots` must be a list of strings such as `orders/limits`"),
        ({"rego_version": 0}, "only Rego v1 is evaluated: build the bundle with `opa build --v1-compatible`"),
        ({"rego_version": []}, "only Rego v1 is evaluated: build the bundle with `opa build --v1-compatible`"),
        (
            {"file_rego_versions": {"p.rego": 0}},
            "only Rego v1 is evaluated: build the bundle with `opa build --v1-compatible`",
        ),
        (
            {"wasm": [{"entrypoint": "a/b", "module": "/policy.wasm"}]},
            "Wasm modules are not evaluated: build the bundle with `opa build --target rego`",
        ),
    ],
)
def test_what_is_not_evaluated_is_refused_by_name(tmp_path: Path, manifest: dict[str, object], sentence: str) -> None:
    assert refusal(bundle(tmp_path, manifest)) == f".manifest: {sentence}"


def test_metadata_and_names_that_opa_does_not_know_mean_nothing(tmp_path: Path) -> None:
    manifest = {"revision": "r1", "rego_version": 1, "wasm": [], "metadata": {"roots": ["z"]}, "built_by": "ci"}
    assert load([bundle(tmp_path, manifest)], {}).revision == "r1"
