"""What the doctor says, and the row of the table that makes it say so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from extproc.istio.attachment import NAME
from extproc.istio.doctor.view import View
from extproc.istio.gateway import Gateway
from extproc.istio.processor import CLUSTER_NAME


class Severity(StrEnum):
    """ERROR: traffic passes uninspected or breaks.  WARNING: it does in some case.  NOTE: known, or as it should be."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the server's configuration wants of the gateway.

    `tls`: the server ends mutual TLS itself.  `excluded_routes`: what is left out by name.
    `namespace`: where in a mesh the server runs.  `clusters`: names that are its own, without a mesh and in one.
    """

    gateway: Gateway
    deadline_ms: int
    tls: bool = False
    excluded_routes: frozenset[str] = frozenset()
    namespace: str = NAME
    clusters: frozenset[str] = frozenset({CLUSTER_NAME})


@dataclass(frozen=True, slots=True)
class Spot:
    """One place where a check found something: the field's path in the dump, and what is the case there.

    Or a key of the configuration, where that is what must be known.
    """

    path: str
    saying: str


@dataclass(frozen=True, slots=True)
class Check:
    """A row of the table: `find` is pure, and yields a Spot for every place that is wrong."""

    id: str
    severity: Severity
    why: str
    mend: str
    find: Callable[[View, Expected], Iterator[Spot]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend.  `place` is a path in the dump, a key of the configuration, or what was probed."""

    id: str
    severity: Severity
    place: str
    saying: str
    why: str
    mend: str
