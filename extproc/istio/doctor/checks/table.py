"""All findings.  A new one is a row in its module; the documentation's table (docs/doctor.md) must name it."""

from extproc.istio.doctor.checks import (
    behind,
    cluster,
    connection,
    coverage,
    differences,
    dumped,
    exclusions,
    guards,
    processor,
    routes,
    transport,
)
from extproc.istio.doctor.finding import Check

CHECKS: tuple[Check, ...] = (
    *coverage.CHECKS,
    *processor.CHECKS,
    *differences.CHECKS,
    *guards.CHECKS,
    *behind.CHECKS,
    *exclusions.CHECKS,
    *routes.CHECKS,
    *connection.CHECKS,
    *cluster.CHECKS,
    *transport.CHECKS,
    *dumped.CHECKS,
)
