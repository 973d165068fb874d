"""What was built once: a folder for each key in the user's cache; it may be deleted at any time."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from libopa_build.console import fail, say

SUMS = "SHA256SUMS"


def cached(key: str, make: Callable[[Path], None]) -> Path:
    """The folder of `key`: what `make`, given an empty folder, left in it, now or in an earlier build.

    Of several builds at a time one makes it, and the others wait.  Files that have changed since are made again.  A
    `make` that does not return leaves nothing behind that a later build would take.
    """
    try:
        entry = _folder() / key
        with _alone(entry.with_suffix(".lock")):
            if _intact(entry):
                say(f"unchanged, taken from {entry}")
                return entry
            fresh = entry.with_suffix(".building")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            make(fresh)
            (fresh / SUMS).write_text(_sums(fresh), encoding="utf-8")
            shutil.rmtree(entry, ignore_errors=True)
            fresh.rename(entry)
        return entry  # noqa: TRY300 - all of it may fail
    except OSError as error:
        fail(f"cannot be kept in {error.filename} ({error.strerror}): name a folder with room by XDG_CACHE_HOME")


def _folder() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser(), "extproc/libopa")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold the lock; the kernel lets go of it when a build is killed."""
    with lock.open("w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            say("another build of the same is at work, waiting for it")
            flock(file, LOCK_EX)
        yield


def _intact(entry: Path) -> bool:
    try:
        expected = (entry / SUMS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    if _sums(entry) == expected:
        return True
    say(f"{entry} is damaged, building again")
    return False


def _sums(folder: Path) -> str:
    """A line for each file, as sha256sum writes it."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
