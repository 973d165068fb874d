"""What was built once: a folder for each key in the user's cache; it may be deleted at any time.

What lies there is linked into the server, so it is taken only where this user alone can have put it there.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from libopa_build.console import fail, say
from libopa_build.folder import Folder, UntrustedError

SUMS = "SHA256SUMS"


def cached(key: str, make: Callable[[Path], None], into: Path) -> None:
    """Put into an empty folder what `make` puts there, now or in an earlier build.

    Of several builds at a time one makes it, and the others wait.  Files that have changed since are made again, and so
    is what another user owns or may write to.  A build that is killed leaves nothing that a later one would take.
    """
    with ExitStack() as stack:
        store = _store(stack)
        if store is None:
            make(into)
            return
        stack.enter_context(_alone(store, f"{key}.lock"))
        if not _taken(store, key, into):
            make(into)
            _keep(store, key, into)


@contextmanager
def _or_a_sentence() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        at = error.filename or _root()
        fail(f"cannot be kept in {at} ({error.strerror}): name a folder with room by XDG_CACHE_HOME")


def _root() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())


@_or_a_sentence()
def _store(stack: ExitStack) -> Folder | None:
    """The folder that holds the entries; None where it cannot be trusted, and then nothing in it can."""
    folder = stack.enter_context(Folder.above(_root()))
    for name in ("extproc", "libopa"):
        folder.make(name)
        try:
            folder = stack.enter_context(folder.folder(name))
        except UntrustedError as error:
            say(f"{error}: nothing is taken from there or kept there; make it yours alone, or delete it")
            return None
    return folder


@contextmanager
def _alone(store: Folder, lock: str) -> Iterator[None]:
    """Hold the lock; the kernel lets go of it when a build is killed."""
    with _or_a_sentence():
        descriptor = store.lock_file(lock)
    with os.fdopen(descriptor, "w") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            say("another build of the same is at work, waiting for it")
            flock(file, LOCK_EX)
        yield


@_or_a_sentence()
def _taken(store: Folder, key: str, into: Path) -> bool:
    """Whether the entry was whole and could be trusted, so that its files are in `into`."""
    try:
        with store.folder(key) as entry:
            files = {name: entry.read(name) for name in entry.names()}
    except FileNotFoundError:
        return False
    except UntrustedError as error:
        say(f"{error}: not taken, building again")
        return False
    if files.pop(SUMS, b"") != _sums(files):
        say(f"{entry.path} is damaged, building again")
        return False
    for name, content in files.items():
        (into / name).write_bytes(content)
    say(f"unchanged, taken from {entry.path}")
    return True


@_or_a_sentence()
def _keep(store: Folder, key: str, made: Path) -> None:
    """Under another name until it is whole and on the disk; not at all where somebody else may have written to it."""
    files = {path.name: path.read_bytes() for path in made.iterdir()}
    unfinished = f"{key}.building"
    store.remove(unfinished)
    store.make(unfinished)
    try:
        with store.folder(unfinished) as entry:
            for name, content in {**files, SUMS: _sums(files)}.items():
                entry.write(name, content)
            entry.sync()
    except UntrustedError as error:
        say(f"{error}: what was built is not kept")
        return
    store.replace(unfinished, key)


def _sums(files: Mapping[str, bytes]) -> bytes:
    """A line for each file, as sha256sum writes it."""
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()
