"""Where a config dump comes from."""

import sys
from pathlib import Path

from extproc.errors import DumpError
from extproc.istio.doctor.dump import LARGEST_BYTES


def from_file(path: Path) -> bytes:
    """What a file holds, `-` being standard input; one byte more than a dump may have at most.

    Raises DumpError.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(LARGEST_BYTES + 1)
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise DumpError(f"{path} cannot be read ({error.strerror}): name the file of a config dump") from None
