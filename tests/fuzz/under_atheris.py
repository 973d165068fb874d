"""One target under Atheris: `python -m fuzz.under_atheris NAME COUNTER [LIBFUZZER OPTIONS]`.

COUNTER is a file of eight bytes; it is left with how often a reading of ours was held against another.
"""

import mmap
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["extproc.core", "multipart", "python_multipart", "werkzeug.sansio", "django.http.multipartparser"]
):
    from fuzz.properties import TARGETS
    from fuzz.properties.target import unfolded


def main() -> None:
    """Fuzz until the options say enough, or until the property does not hold.  Never returns."""
    target = TARGETS[sys.argv.pop(1)]
    compared = _number_in(Path(sys.argv.pop(1)))

    def check(data: bytes) -> None:
        try:
            compared[0] += target.check(unfolded(data, target.tokens))
        except BaseException:
            print("find:", unfolded(data, target.tokens), file=sys.stderr)  # noqa: T201 - Atheris shows none
            raise

    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


def _number_in(file: Path) -> "memoryview[int]":
    """A number that is in the file at any moment: libFuzzer ends the process without a word to Python."""
    with file.open("r+b") as opened:
        return memoryview(mmap.mmap(opened.fileno(), 8)).cast("Q")


if __name__ == "__main__":
    main()
