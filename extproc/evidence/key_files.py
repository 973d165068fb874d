"""Reading and making the files that hold keys."""

import os
import secrets
from pathlib import Path

from extproc.errors import KeyFileError


def read_key_file(path: Path) -> bytes:
    """The whole file; raises KeyFileError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read ({error.strerror}): name a readable key file") from error


def create_key_file(path: Path, content: bytes) -> None:
    """Make a file of mode 0600 with this content, whole or not at all, even when two processes try at once.

    Raises FileExistsError where there is one, which is never touched, and KeyFileError where it cannot be made.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            _write(draft, content)
            os.link(draft, path)  # unlike a rename, it never replaces
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.is_file():
            raise
        raise KeyFileError(f"{path} cannot be made ({error.strerror}): name a writable place") from error


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
