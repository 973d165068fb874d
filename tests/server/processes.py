"""What the children of the tests do; in a module of its own, for a spawned process imports it by name."""

import os
import signal
from pathlib import Path

from extproc.server.control import ChildEnd, Failed, NotReady, Ready


def ready_until_told(control: ChildEnd) -> None:
    """A well-behaved child."""
    control.send(Ready(f"pid {os.getpid()}"))
    control.recv()


def not_ready(control: ChildEnd) -> None:
    """One that has a problem."""
    control.send(NotReady("told to"))
    control.recv()


def cannot_start(control: ChildEnd) -> None:
    """One whose last words are a sentence."""
    control.send(Failed("name another port"))


def deaf(control: ChildEnd) -> None:
    """One that does not finish."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    control.send(Ready("here"))
    signal.pause()


def fails_the_second_time(mark: Path, control: ChildEnd) -> None:
    """Serves, and once it is started again it cannot."""
    if mark.exists():
        control.send(Failed("the policy is broken"))
        return
    mark.touch()
    ready_until_told(control)
