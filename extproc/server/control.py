"""What the supervisor and its children say to each other over their pipe; its end means that the other side is gone."""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker serves on this address."""

    address: str


@dataclass(frozen=True, slots=True)
class NotReady:
    """A worker must not be sent traffic, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A child cannot start; the sentence says what to do."""

    message: str


Report: TypeAlias = Ready | NotReady | Failed


@dataclass(frozen=True, slots=True)
class Drain:
    """Finish what is open, take nothing new, and end."""


ChildEnd: TypeAlias = "Connection[Report, Drain]"
ParentEnd: TypeAlias = "Connection[Drain, Report]"
