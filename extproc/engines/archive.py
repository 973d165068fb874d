"""OPA bundles: a gzipped tar, read in memory and never unpacked."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from extproc.errors import PolicyLoadError

MAX_BYTES = 64 << 20
"""What one bundle or file may hold, unpacked: a policy of this size is a mistake or an attack."""


def read_archive(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Name and content of each file, in the archive's order.

    `opa build` writes names with a leading slash; it is dropped.  Raises PolicyLoadError for an archive that is damaged
    or too large, for a link, a device, a sparse file, a name with `..` and a name that comes twice; OSError.
    """
    seen: set[PurePosixPath] = set()
    try:
        content = _unpacked(path)
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
            for member in archive:
                name = PurePosixPath(member.name.lstrip("/"))
                _check(path, member, name)
                if member.isdir():
                    continue
                if name in seen:
                    raise PolicyLoadError(f"{path}: {name} comes twice: build the bundle again")
                seen.add(name)
                file = archive.extractfile(member)
                yield name, file.read() if file else b""
            _check_end(path, content[archive.offset :])
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        raise PolicyLoadError(f"{path} is not a gzipped tar archive: build it with `opa build`") from error


def _unpacked(path: Path) -> bytes:
    with gzip.open(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise PolicyLoadError(f"{path} unpacks to more than {MAX_BYTES >> 20} MiB: this is no policy bundle")
    return content


def _check_end(path: Path, rest: bytes) -> None:
    """An archive ends in two blocks of zeros; tarfile ends as well, in silence, where a header is damaged or cut."""
    if len(rest) < 2 * tarfile.BLOCKSIZE or any(rest):
        raise PolicyLoadError(f"{path} is damaged or cut: build the bundle again")


def _check(path: Path, member: tarfile.TarInfo, name: PurePosixPath) -> None:
    if ".." in name.parts:
        raise PolicyLoadError(f"{path}: {name} leaves the archive: build the bundle again")
    if not (member.isdir() or member.isreg()) or member.issparse():
        raise PolicyLoadError(f"{path}: {name} is neither a plain file nor a folder: build the bundle again")
