"""Folders that nobody else can have written to, reached by descriptors: what was looked at is what is used.

Whoever may write to a folder above can put another in its place, but none that belongs to this user, and no path is
followed twice.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
"""Without the last of them a pipe waits for its writer."""
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


class UntrustedError(Exception):
    """Somebody else may have written it; its text says what and why."""


class Folder:
    """An open folder.  `path` is what a person calls it, and is not opened again.  Methods raise OSError."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self.path = descriptor, path

    @classmethod
    @contextmanager
    def above(cls, path: Path) -> Iterator["Folder"]:
        """Where the way begins, made if need be.  **It is not checked**, and may be a link: what is below it is."""
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield cls(descriptor, path)
        finally:
            os.close(descriptor)

    @contextmanager
    def folder(self, name: str) -> Iterator["Folder"]:
        """One within it.  Raises UntrustedError; FileNotFoundError."""
        with self._opened(name, _FOLDER) as descriptor:
            yield Folder(descriptor, self.path / name)

    def make(self, name: str) -> None:
        """A folder for this user alone, unless something is there."""
        try:
            os.mkdir(name, 0o700, dir_fd=self._descriptor)
        except FileExistsError:
            return

    def lock_file(self, name: str) -> int:
        """The descriptor of an empty file, made if need be."""
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=self._descriptor)

    def names(self) -> list[str]:
        """What is in it, sorted."""
        return sorted(os.listdir(self._descriptor))  # noqa: PTH208 - a descriptor is no path

    def read(self, name: str) -> bytes:
        """A file's content.  Raises UntrustedError, also for what is no plain file; FileNotFoundError."""
        with self._opened(name, _FILE) as descriptor:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UntrustedError(f"{self.path / name} is no plain file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()

    def write(self, name: str, content: bytes) -> None:
        """A new file, on the disk when this returns."""
        with os.fdopen(os.open(name, _NEW_FILE, 0o600, dir_fd=self._descriptor), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def replace(self, old: str, new: str) -> None:
        """Give the folder `old` the name `new`, and be sure that it has it; what had that name is gone."""
        self.remove(new)
        os.rename(old, new, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        self.sync()

    def sync(self) -> None:
        """Bring the names in it to the disk."""
        os.fsync(self._descriptor)

    def remove(self, name: str) -> None:
        """Whatever has this name, if anything has it; what a link points to stays."""
        try:
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return
        if stat.S_ISDIR(status.st_mode):
            shutil.rmtree(name, dir_fd=self._descriptor)
        else:
            os.unlink(name, dir_fd=self._descriptor)

    @contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[int]:
        """The checked descriptor of what is there."""
        descriptor = self._open(name, flags)
        try:
            _check(os.fstat(descriptor), self.path / name)
            yield descriptor
        finally:
            os.close(descriptor)

    def _open(self, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, dir_fd=self._descriptor)
        except FileNotFoundError:
            raise
        except OSError as error:  # a link is ELOOP for a file and ENOTDIR for a folder
            status = os.stat(name, dir_fd=self._descriptor, follow_symlinks=False)
            kind = "is a link" if stat.S_ISLNK(status.st_mode) else f"cannot be opened ({error.strerror})"
            raise UntrustedError(f"{self.path / name} {kind}") from None


def _check(status: os.stat_result, path: Path) -> None:
    """An access list shows among the group's bits."""
    if status.st_uid != os.geteuid():
        raise UntrustedError(f"{path} belongs to user {status.st_uid}, not to user {os.geteuid()}")
    if status.st_mode & _OTHERS_WRITE:
        raise UntrustedError(f"{path} may be written by others (mode {stat.S_IMODE(status.st_mode):04o})")
