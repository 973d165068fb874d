"""The table, run over one dump."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from extproc.config import Settings
from extproc.istio.attachment import NAME, Attachment, ClassicGateway, named
from extproc.istio.doctor.checks.table import CHECKS
from extproc.istio.doctor.dump import parse_dump
from extproc.istio.doctor.finding import Expected, Finding, Severity
from extproc.istio.doctor.process import NOT_ASKED, Process
from extproc.istio.doctor.view import view_of
from extproc.istio.gateway import TcpAddress
from extproc.istio.mapping import gateway_of
from extproc.istio.processor import CLUSTER_NAME

IDS = frozenset(check.id for check in CHECKS)
"""Of every finding in a dump."""

BY_ROUTE = frozenset({"route_excluded", "host_excluded"})
"""What is not accepted by its id but by a route's name, or another exclusion would be accepted with it."""

_ORDER = list(Severity)
_ANYWHERE = TcpAddress(host="127.0.0.1", port=0)


def expected_of(settings: Settings, *, excluded_routes: Iterable[str] = (), namespace: str = NAME) -> Expected:
    """What these settings want.  Raises ConfigurationError as `render` does."""
    gateway = gateway_of(settings, listen=_ANYWHERE, upstream=_ANYWHERE, admin=_ANYWHERE, otlp=None)
    in_mesh = Attachment(ClassicGateway("", "", ()), namespace=named(namespace)).cluster
    return Expected(
        gateway,
        settings.policy.deadline_ms,
        tls=settings.tls is not None,
        excluded_routes=frozenset(excluded_routes),
        namespace=namespace,
        clusters=frozenset({CLUSTER_NAME, in_mesh}),
    )


def examine(dump: bytes, expected: Expected, process: Process = NOT_ASKED) -> list[Finding]:
    """Everything that is found, in the table's order.  Raises DumpError for what is no dump."""
    view = view_of(parse_dump(dump), process)
    found = (
        Finding(check.id, check.severity, spot.path, spot.saying, check.why, check.mend)
        for check in CHECKS
        for spot in check.find(view, expected)
    )
    return list(dict.fromkeys(found))  # a chain that asks twice is looked at twice


def failed(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Whether something must be mended: an error, with `strict` a warning too."""
    serious = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return any(finding.severity in serious for finding in findings)


def accepting(findings: Iterable[Finding], accepted: Collection[str]) -> list[Finding]:
    """The worst first; those with an accepted id are notes."""
    settled = (replace(each, severity=Severity.NOTE) if each.id in accepted else each for each in findings)
    return sorted(settled, key=lambda finding: _ORDER.index(finding.severity))
