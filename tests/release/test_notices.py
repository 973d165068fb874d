"""The notices name every component that is linked in, and hold each licence text once."""

from pathlib import Path

from libopa_build.notices import Package, notices


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_components_are_listed_and_each_text_stands_once_with_all_its_owners(tmp_path: Path) -> None:
    opa, glob, go, zig = (tmp_path / name for name in ("opa", "glob", "go", "zig"))
    write(opa, LICENSE="Apache\n", internal__semver__LICENSE="BSD, by others", internal__other__LICENSE="not linked")
    write(opa / "internal/semver", **{"license.go": "package semver", "README": "no licence"})
    write(glob, **{"License.txt": "MIT", "NOTICE": "Apache"})
    write(go, LICENSE="Go's", PATENTS="Go's patents")
    write(zig, LICENSE="Zig's")
    packages = [
        Package("example.org/opa v1", opa, opa / "internal/semver/deep"),
        Package("example.org/opa v1", opa, opa / "ast"),
        Package("example.org/glob v2", glob, glob),
        Package("example.org/bare v3", tmp_path / "bare", tmp_path / "bare"),
    ]
    for package in packages:
        package.folder.mkdir(parents=True, exist_ok=True)
    text = notices(packages, go, str(zig / "zig"))
    assert [line for line in text.splitlines() if line.startswith("- ")] == [
        "- example.org/bare v3: NO LICENCE FILE",
        "- example.org/glob v2: License.txt, NOTICE",
        "- example.org/opa v1: LICENSE, internal/semver/LICENSE",
        "- Go's runtime and standard library: LICENSE, PATENTS",
        "- Zig's compiler runtime: LICENSE",
    ]
    rule = "=" * 78
    blocks = [block.strip() for block in text.split(rule)][1:]
    assert list(zip(blocks[::2], blocks[1::2], strict=True)) == [
        ("example.org/glob v2: License.txt", "MIT"),
        ("example.org/glob v2: NOTICE\nexample.org/opa v1: LICENSE", "Apache"),
        ("example.org/opa v1: internal/semver/LICENSE", "BSD, by others"),
        ("Go's runtime and standard library: LICENSE", "Go's"),
        ("Go's runtime and standard library: PATENTS", "Go's patents"),
        ("Zig's compiler runtime: LICENSE", "Zig's"),
    ]
