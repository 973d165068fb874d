"""What somebody else may have written to the cache is not taken, and a build that is killed leaves nothing to take."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import pytest
from release.pins import ROOT

from libopa_build.cache import SUMS, cached
from libopa_build.folder import Folder, UntrustedError

OURS, THEIRS = b"ours", b"theirs"
Build = Callable[[bytes], bytes]
Harm = Callable[[Path], object]
KILLED_AT_A_STEP = """
import os, signal, sys
from pathlib import Path
from libopa_build.cache import cached

into, step = Path(sys.argv[1]), int(sys.argv[2])


def count(event, arguments):
    global step
    if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir"):
        step -= 1
        if step < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def make(folder):
    for name in ("libopa.so", "libopa-notices.txt"):
        (folder / name).write_bytes(b"ours")


sys.addaudithook(count)
cached("key", make, into)
"""


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An entry as a build left it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "extproc/libopa/key"


@pytest.fixture
def build(entry: Path, tmp_path: Path) -> Build:
    """Builds a library of this content unless another is taken; gives the content of the one that there is then."""

    def run(content: bytes) -> bytes:
        into = Path(mkdtemp(dir=tmp_path))
        cached("key", lambda folder: (folder / "libopa.so").write_bytes(content) and None, into)
        return (into / "libopa.so").read_bytes()

    run(THEIRS)
    assert entry.is_dir()
    return run


def move_and_link(path: Path) -> None:
    """What was there lies elsewhere now, whole, and a link leads to it."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its descriptors say that another user owns it: only root could make that true of the file itself."""
    given, fstat = path.stat(), os.fstat

    def status(descriptor: int) -> os.stat_result:
        seen = fstat(descriptor)
        owner = seen.st_uid + 1 if os.path.samestat(seen, given) else seen.st_uid
        return os.stat_result((*seen[:4], owner, *seen[5:]))

    monkeypatch.setattr(os, "fstat", status)


ENTRY_HARMS: dict[str, tuple[Harm, str]] = {
    "an entry that the group may write": (
        lambda entry: entry.chmod(0o770),
        "/key may be written by others (mode 0770)",
    ),
    "an entry that all may write": (lambda entry: entry.chmod(0o707), "/key may be written by others (mode 0707)"),
    "a file that all may write": (
        lambda entry: (entry / "libopa.so").chmod(0o602),
        "/key/libopa.so may be written by others (mode 0602)",
    ),
    "sums that the group may write": (
        lambda entry: (entry / SUMS).chmod(0o660),
        "/key/SHA256SUMS may be written by others (mode 0660)",
    ),
    "an entry that is a link": (move_and_link, "/key is a link"),
    "a file that is a link": (lambda entry: move_and_link(entry / "libopa.so"), "/key/libopa.so is a link"),
    "a file that is a pipe": (
        lambda entry: ((entry / "libopa.so").unlink(), os.mkfifo(entry / "libopa.so", 0o600)),
        "/key/libopa.so is no plain file",
    ),
    "an entry that is a file": (
        lambda entry: (entry.rename(entry.with_name("away")), entry.touch()),
        f"/key cannot be opened ({os.strerror(20)})",
    ),
}


@pytest.mark.parametrize("harm", ENTRY_HARMS)
def test_an_entry_that_others_may_have_written_is_built_again_and_the_reason_is_said(
    entry: Path, build: Build, capfd: pytest.CaptureFixture[str], harm: str
) -> None:
    do, reason = ENTRY_HARMS[harm]
    do(entry)
    capfd.readouterr()
    assert build(OURS) == OURS
    (line,) = capfd.readouterr().err.splitlines()
    assert line == f"libopa: {entry.parent}{reason}: not taken, building again"
    assert build(THEIRS) == OURS, "what was built again is kept"


FOLDER_HARMS: dict[str, tuple[Harm, str]] = {
    "that the group may write": (lambda folder: folder.chmod(0o770), "may be written by others (mode 0770)"),
    "that all may write to": (lambda folder: folder.chmod(0o1777), "may be written by others (mode 1777)"),
    "that is a link": (move_and_link, "is a link"),
}


@pytest.mark.parametrize("above", ["extproc", "libopa"])
@pytest.mark.parametrize("harm", FOLDER_HARMS)
def test_from_a_folder_that_others_may_write_nothing_is_taken_and_nothing_is_kept_there(
    entry: Path, build: Build, capfd: pytest.CaptureFixture[str], above: str, harm: str
) -> None:
    folder = next(parent for parent in entry.parents if parent.name == above)
    do, reason = FOLDER_HARMS[harm]
    do(folder)
    capfd.readouterr()
    assert [build(OURS), build(b"once more")] == [OURS, b"once more"]
    advice = "nothing is taken from there or kept there; make it yours alone, or delete it"
    assert capfd.readouterr().err.splitlines() == [f"libopa: {folder} {reason}: {advice}"] * 2
    assert (entry / "libopa.so").read_bytes() == THEIRS


def test_from_a_folder_of_another_user_nothing_is_taken(
    entry: Path, build: Build, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    capfd.readouterr()
    assert build(OURS) == OURS
    assert f"{entry.parents[1]} belongs to user {owner}, not to user {owner + 1}: " in capfd.readouterr().err


@pytest.mark.parametrize("file", ["", "libopa.so", SUMS])
def test_a_file_of_another_user_is_not_taken(
    entry: Path, build: Build, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    give_away(entry / file, monkeypatch)
    assert build(OURS) == OURS


def test_what_was_looked_at_is_read_though_another_has_taken_its_place(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    (tmp_path / "folder/file").write_bytes(OURS)
    with Folder.above(tmp_path) as above, above.folder("folder") as folder:
        (tmp_path / "folder").rename(tmp_path / "away")
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder/file").write_bytes(THEIRS)
        assert folder.read("file") == OURS


def test_a_link_is_removed_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    with Folder.above(tmp_path) as folder:
        with pytest.raises(UntrustedError, match="link is a link"), folder.folder("link"):
            pass
        folder.remove("link")
        assert folder.names() == ["kept"]


def test_a_build_that_is_killed_at_any_step_leaves_nothing_that_a_later_one_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = 0
    for step in range(100):
        cache, into = tmp_path / f"cache{step}", Path(mkdtemp(dir=tmp_path))
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        command = [sys.executable, "-c", KILLED_AT_A_STEP, str(into), str(step)]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        after = Path(mkdtemp(dir=tmp_path))
        cached("key", lambda folder: (folder / "libopa.so").write_bytes(b"made again") and None, after)
        found = {path.name: path.read_bytes() for path in after.iterdir()}
        whole = {"libopa.so": OURS, "libopa-notices.txt": OURS}
        assert found in (whole, {"libopa.so": b"made again"}), f"killed at step {step}"
        assert sorted(path.name for path in (cache / "extproc/libopa").iterdir()) == ["key", "key.lock"]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        killed += 1
    assert killed > 10
    assert found == whole
