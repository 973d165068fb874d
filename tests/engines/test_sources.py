import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from extproc.engines.sources import PolicySet, load
from extproc.errors import PolicyLoadError

REGO = "package a\n\nd := true\n"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def member(name: str, text: str = REGO, **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(text.encode())
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, text.encode()


def bundle(path: Path, members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content))
    return path


def refusal(paths: list[Path], data: dict[str, object] | None = None) -> str:
    with pytest.raises(PolicyLoadError) as caught:
        load(paths, data or {})
    return str(caught.value)


def test_a_folder_gives_modules_and_data_by_directory(tmp_path: Path) -> None:
    files = {
        "a.rego": REGO,
        "x/b.rego": REGO,
        "a_test.rego": "package a_test\n",
        ".hidden/c.rego": REGO,
        ".d.rego": REGO,
        "notes.txt": "no policy",
        "data.json": '{"n": 10000000000000000000000001, "x": {"y": {"keep": 1}}}',
        "x/y/data.yaml": "z: [1, two]\n",
    }
    root = tree(tmp_path, files)
    canonical = '{"n":10000000000000000000000001,"x":{"y":{"keep":1,"z":[1,"two"]}}}'
    assert load([root], {}) == PolicySet(
        modules={f"{root}/a.rego": REGO, f"{root}/x/b.rego": REGO},
        data=canonical.encode(),
        revision="",
        policy_digest=sha256(f"a.rego {sha256(REGO)}\nx/b.rego {sha256(REGO)}\n"),
        data_digest=sha256(canonical),
    )


def test_a_digest_does_not_depend_on_where_the_folder_lies(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "one", {"a.rego": REGO}), tree(tmp_path / "two", {"a.rego": REGO})
    assert load([one], {}).policy_digest == load([two], {}).policy_digest


def test_a_changed_name_or_text_changes_the_digest(tmp_path: Path) -> None:
    variants = [{"a.rego": REGO}, {"b.rego": REGO}, {"a.rego": REGO + "\n"}, {"a.rego": REGO, "b.rego": REGO}]
    digests = {load([tree(tmp_path / str(n), files)], {}).policy_digest for n, files in enumerate(variants)}
    assert len(digests) == len(variants)


def test_configured_data_is_merged_over_what_the_paths_hold(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.rego": REGO, "data.json": '{"limits": {"max": 1, "min": 0}, "x": [1]}'})
    data = load([root], {"limits": {"max": 2}, "x": {}}).data
    assert json.loads(data) == {"limits": {"max": 2, "min": 0}, "x": {}}


def test_a_kubernetes_volume_is_read_once(tmp_path: Path) -> None:
    tree(tmp_path, {"..2026_01_01/a.rego": REGO})
    (tmp_path / "..data").symlink_to("..2026_01_01")
    (tmp_path / "a.rego").symlink_to("..data/a.rego")
    assert load([tmp_path], {}).modules == {f"{tmp_path}/a.rego": REGO}


def test_a_file_can_be_named_by_itself(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.rego": REGO, "b.rego": REGO, "data.json": '{"x": 1}'})
    loaded = load([root / "a.rego", root / "data.json"], {})
    assert (loaded.modules, loaded.data) == ({f"{root}/a.rego": REGO}, b'{"x":1}')


def test_a_bundle_gives_modules_data_and_revision(tmp_path: Path) -> None:
    path = bundle(
        tmp_path / "bundle.tar.gz",
        [
            member("/data.json", '{"x": 1}'),
            member("/policy/a.rego"),
            member("/policy/a_test.rego"),
            member("/.manifest", '{"revision": "r7", "roots": [""]}'),
        ],
    )
    loaded = load([path], {})
    assert (loaded.modules, loaded.data, loaded.revision) == ({f"{path}:policy/a.rego": REGO}, b'{"x":1}', "r7")
    assert loaded.policy_digest == load([tree(tmp_path / "f", {"policy/a.rego": REGO})], {}).policy_digest


@pytest.mark.parametrize(
    ("trick", "sentence"),
    [
        (member("../a.rego"), "../a.rego leaves the archive: build the bundle again"),
        (member("x/../../a.rego"), "x/../../a.rego leaves the archive: build the bundle again"),
        (
            member("a.rego", "", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            "a.rego is neither a plain file nor a folder: build the bundle again",
        ),
        (
            member("a.rego", "", type=tarfile.LNKTYPE, linkname="b.rego"),
            "a.rego is neither a plain file nor a folder: build the bundle again",
        ),
        (
            member("a.rego", "", type=tarfile.FIFOTYPE),
            "a.rego is neither a plain file nor a folder: build the bundle again",
        ),
        (
            member("a.rego", "", pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": "9000000000"}),
            "a.rego is neither a plain file nor a folder: build the bundle again",
        ),
        (member("/b.rego"), "b.rego comes twice: build the bundle again"),
    ],
)
def test_a_tar_trick_is_refused(tmp_path: Path, trick: tuple[tarfile.TarInfo, bytes], sentence: str) -> None:
    path = bundle(tmp_path / "b.tar.gz", [member("b.rego"), trick])
    assert refusal([path]) == f"{path}: {sentence}"


def test_a_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "b.tar.gz"
    path.write_bytes(gzip.compress(bytes((64 << 20) + 1), 1))
    assert refusal([path]) == f"{path} unpacks to more than 64 MiB: this is no policy bundle"


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"not gzip" + content,
        lambda content: content[:20] + b"\xff\xff\xff\xff" + content[24:],
        lambda _: gzip.compress(b"x" * 2000),
    ],
    ids=["truncated", "not_gzip", "corrupt", "not_tar"],
)
def test_a_damaged_bundle_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = bundle(tmp_path / "b.tar.gz", [member("b.rego", REGO + "# " + "".join(map(str, range(999))))])
    path.write_bytes(damage(path.read_bytes()))
    assert refusal([path]) == f"{path} is not a gzipped tar archive: build it with `opa build`"


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    assert refusal([tmp_path / "no"]) == f"{tmp_path}/no does not exist: correct policy.paths"


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    loop = tmp_path / "loop.rego"
    loop.symlink_to(loop)
    assert refusal([loop]) == f"{loop} cannot be read ({os.strerror(40)}): check its permissions"


def test_paths_without_a_module_are_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a_test.rego": REGO, "data.json": "{}"})
    assert refusal([root]) == "the policy paths hold no .rego file: name a file, folder or bundle that does"


@pytest.mark.parametrize("within", ["", "x/"])
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (".rego", "a module needs a name before `.rego`: rename it"),
        ("patch.json", "delta bundles are not read: build a whole one with `opa build`"),
    ],
)
def test_what_opa_reads_and_we_do_not_is_refused_by_name(tmp_path: Path, within: str, name: str, sentence: str) -> None:
    folder = tree(tmp_path / "folder", {"a.rego": REGO, f"{within}{name}": REGO})
    assert refusal([folder]) == f"{folder}/{within}{name}: {sentence}"
    packed = bundle(tmp_path / "b.tar.gz", [member("a.rego"), member(f"{within}{name}")])
    assert refusal([packed]) == f"{packed}:{within}{name}: {sentence}"
    if not within:
        assert refusal([folder / "a.rego", folder / name]) == f"{folder}/{name}: {sentence}"


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("data.json", '{"a": 1, "a": 2}', "does not parse: an object has the same key twice"),
        ("data.json", '{"a": NaN}', "does not parse: NaN is not JSON"),
        ("data.json", "[]", "must hold an object: OPA mounts it at the folder that it lies in"),
        ("data.json", '{"x": {"y": 2}}', "data.y is defined twice with different values: keep one of them"),
        ("x/data.json", '{"y": 2}', "data.y is defined twice with different values: keep one of them"),
        (".manifest", '{"revision": 7}', "`revision` must be a string"),
    ],
)
def test_bad_data_is_named(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    first = tree(tmp_path / "first", {"a.rego": REGO, "x/data.yaml": "y: 1\n"})
    second = tree(tmp_path / "second", {name: text})
    message = refusal([first, second])
    assert message.startswith(f"{second}/{name}")
    assert message.endswith(sentence)


def test_yaml_that_is_no_json_is_refused(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.rego": REGO, "data.yaml": "since: 2026-01-01\n"})
    why = "Type is not JSON serializable: datetime.date"
    advice = "quote dates and other YAML types, nest at most 254 levels"
    assert refusal([root]) == f"the data document is not JSON ({why}): {advice}"


def test_data_may_nest_254_levels(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.rego": REGO, "data.json": '{"x": ' + "[" * 253 + "]" * 253 + "}"})
    assert load([root], {}).data == b'{"x":' + b"[" * 253 + b"]" * 253 + b"}"
    (root / "data.json").write_text('{"x": ' + "[" * 254 + "]" * 254 + "}")
    assert "nest at most 254 levels" in refusal([root])


def test_yaml_that_does_not_parse_is_refused_in_one_line(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.rego": REGO, "data.yaml": "a: [1\nb: }\n"})
    message = refusal([root])
    assert message.startswith(f"{root}/data.yaml does not parse: ")
    assert "\n" not in message


def test_a_module_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_bytes(b"package a\n# \xff\n")
    assert refusal([tmp_path]) == f"{tmp_path}/a.rego is not UTF-8: save it as UTF-8"


def test_the_data_digest_is_of_compact_json_with_sorted_keys(tmp_path: Path) -> None:
    root = tree(tmp_path, {"a.rego": REGO})
    loaded = load([root], {"b": "é", "a": [1.5, None]})
    assert loaded.data_digest == sha256('{"a":[1.5,null],"b":"é"}')
    assert loaded.data == '{"a":[1.5,null],"b":"é"}'.encode()
