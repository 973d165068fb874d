"""What was built is kept, once, and what was kept is only taken as it was made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from libopa_build.cache import SUMS, cached

CONTENT = b"a library"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds the entries."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "extproc/libopa"


@pytest.fixture
def made() -> list[Path]:
    """The folders that were given to `make`."""
    return []


@pytest.fixture
def make(made: list[Path]) -> Callable[[Path], None]:
    """A build."""

    def build(folder: Path) -> None:
        made.append(folder)
        (folder / "libopa.so").write_bytes(CONTENT)

    return build


def test_the_same_is_built_once(cache: Path, make: Callable[[Path], None], made: list[Path]) -> None:
    entries = [cached("key", make), cached("key", make)]
    assert entries == [cache / "key"] * 2
    assert (entries[0] / "libopa.so").read_bytes() == CONTENT
    assert len(made) == 1


@pytest.mark.usefixtures("cache")
def test_something_else_is_built_anew(make: Callable[[Path], None], made: list[Path]) -> None:
    assert cached("key", make) != cached("other", make)
    assert len(made) == 2


@pytest.mark.usefixtures("cache")
def test_of_builds_at_the_same_time_one_works_and_the_others_wait(
    make: Callable[[Path], None], made: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    together = Barrier(4)

    def build(_: int) -> Path:
        together.wait()
        return cached("key", make)

    with ThreadPoolExecutor(4) as threads:
        entries = set(threads.map(build, range(4)))
    assert [(entry / "libopa.so").read_bytes() for entry in entries] == [CONTENT]
    assert len(made) == 1
    assert capfd.readouterr().err.count("unchanged, taken from") == 3


@pytest.mark.parametrize("damage", ["changed", "cut short", "file lost", "sums lost", "file added"])
def test_what_is_damaged_is_built_again(
    cache: Path, make: Callable[[Path], None], made: list[Path], damage: str
) -> None:
    entry = cached("key", make)
    match damage:
        case "changed":
            (entry / "libopa.so").write_bytes(b"a Library")
        case "cut short":
            (entry / "libopa.so").write_bytes(CONTENT[:-1])
        case "file lost":
            (entry / "libopa.so").unlink()
        case "sums lost":
            (entry / SUMS).unlink()
        case _:
            (entry / "more").touch()
    assert cached("key", make) == entry
    assert (entry / "libopa.so").read_bytes() == CONTENT
    assert len(made) == 2
    assert sorted(path.name for path in cache.iterdir()) == ["key", "key.lock"]


def test_what_a_failed_or_killed_build_left_is_never_taken(cache: Path, make: Callable[[Path], None]) -> None:
    def broken(folder: Path) -> None:
        (folder / "libopa.so").write_bytes(b"half a")
        (folder / "left").touch()
        raise SystemExit("did not build")

    with pytest.raises(SystemExit, match="did not build"):
        cached("key", broken)
    entry = cached("key", make)
    assert sorted(path.name for path in entry.iterdir()) == [SUMS, "libopa.so"]
    assert sorted(path.name for path in cache.iterdir()) == ["key", "key.lock"]


def test_a_cache_that_cannot_be_written_ends_the_build_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], None]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(SystemExit, match=r"libopa cannot be kept in .*: name a folder with room by XDG_CACHE_HOME"):
        cached("key", make)
