"""What was built is kept, once, and what was kept is only taken as it was made."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from threading import Barrier

import pytest

from libopa_build.cache import SUMS, cached

CONTENT = b"a library"
Make = Callable[[Path], None]
Build = Callable[[str], bytes]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the entries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/extproc/libopa"


@pytest.fixture
def made() -> list[Path]:
    """The folders that were given to `make`."""
    return []


@pytest.fixture
def make(made: list[Path]) -> Make:
    """A build."""

    def build(folder: Path) -> None:
        made.append(folder)
        (folder / "libopa.so").write_bytes(CONTENT)

    return build


@pytest.fixture
def build(tmp_path: Path, make: Make) -> Build:
    """Builds by the cache into a new folder; gives what is in the library."""

    def run(key: str) -> bytes:
        into = Path(mkdtemp(dir=tmp_path))
        cached(key, make, into)
        assert [path.name for path in into.iterdir()] == ["libopa.so"]
        return (into / "libopa.so").read_bytes()

    return run


def test_the_same_is_built_once(cache: Path, build: Build, made: list[Path]) -> None:
    assert [build("key"), build("key")] == [CONTENT] * 2
    assert len(made) == 1
    assert sorted(path.name for path in cache.iterdir()) == ["key", "key.lock"]


@pytest.mark.usefixtures("cache")
def test_something_else_is_built_anew(build: Build, made: list[Path]) -> None:
    assert [build("key"), build("other")] == [CONTENT] * 2
    assert len(made) == 2


@pytest.mark.usefixtures("cache")
def test_of_builds_at_the_same_time_one_works_and_the_others_wait(
    build: Build, made: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    together = Barrier(4)

    def at_once(_: int) -> bytes:
        together.wait()
        return build("key")

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(at_once, range(4))) == [CONTENT] * 4
    assert len(made) == 1
    assert capfd.readouterr().err.count("unchanged, taken from") == 3


@pytest.mark.parametrize("damage", ["changed", "cut short", "file lost", "sums lost", "file added", "a folder added"])
def test_what_is_damaged_is_built_again(cache: Path, build: Build, made: list[Path], damage: str) -> None:
    build("key")
    entry = cache / "key"
    match damage:
        case "changed":
            (entry / "libopa.so").write_bytes(b"a Library")
        case "cut short":
            (entry / "libopa.so").write_bytes(CONTENT[:-1])
        case "file lost":
            (entry / "libopa.so").unlink()
        case "sums lost":
            (entry / SUMS).unlink()
        case "file added":
            (entry / "more").touch()
        case _:
            (entry / "more").mkdir()
    assert [build("key"), build("key")] == [CONTENT] * 2
    assert len(made) == 2
    assert sorted(path.name for path in cache.iterdir()) == ["key", "key.lock"]
    assert sorted(path.name for path in entry.iterdir()) == [SUMS, "libopa.so"]


def test_a_build_that_fails_keeps_nothing(cache: Path, build: Build, tmp_path: Path) -> None:
    def broken(folder: Path) -> None:
        (folder / "libopa.so").write_bytes(b"half a")
        raise SystemExit("did not build")

    with pytest.raises(SystemExit, match="did not build"):
        cached("key", broken, tmp_path)
    assert [path.name for path in cache.iterdir()] == ["key.lock"]
    assert build("key") == CONTENT


def test_a_cache_that_cannot_be_written_ends_the_build_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: Build
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SystemExit, match=r"libopa cannot be kept in .*: name a folder with room by XDG_CACHE_HOME"):
        build("key")


def test_what_cannot_be_kept_for_its_owner_alone_is_handed_over_and_not_kept(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    owner = os.geteuid()

    def make(folder: Path) -> None:
        (folder / "libopa.so").write_bytes(CONTENT)
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)  # as if somebody had put the next folder there

    into = tmp_path / "into"
    into.mkdir()
    cached("key", make, into)
    assert (into / "libopa.so").read_bytes() == CONTENT
    reason = f"{cache}/key.building belongs to user {owner}, not to user {owner + 1}"
    assert capfd.readouterr().err.splitlines() == [f"libopa: {reason}: what was built is not kept"]
    assert not (cache / "key").exists()


def test_what_is_kept_is_for_its_owner_alone(cache: Path, build: Build) -> None:
    before = os.umask(0)
    try:
        build("key")
    finally:
        os.umask(before)
    kept = [cache.parent, cache, *cache.rglob("*")]
    assert {path.name: f"{path.stat().st_mode & 0o777:o}" for path in kept} == {
        "extproc": "700",
        "libopa": "700",
        "key": "700",
        "key.lock": "600",
        "libopa.so": "600",
        SUMS: "600",
    }
