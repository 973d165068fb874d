"""What the build says to the person who waits for it."""

import sys
from typing import NoReturn


def say(sentence: str) -> None:
    """A line of progress on standard error (`pip install -v` shows it)."""
    print(f"libopa: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - a build backend talks on stderr


def fail(sentence: str) -> NoReturn:
    """End the build with one sentence."""
    raise SystemExit(f"libopa {sentence}")
