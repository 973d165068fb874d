"""Findings for people and for programs."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from extproc.core.events import JSON
from extproc.istio.doctor.finding import Finding, Severity

MOST_PLACES = 8
"""Places of one finding that are printed: a gateway with a filter chain for each host has a hundred of them."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def as_json(findings: Sequence[Finding]) -> str:
    """One object: `findings`, each with all its members, and how many there are of each severity."""
    document: dict[str, JSON] = {f"{severity}s": _count(findings, severity) for severity in Severity}
    document["findings"] = [
        {
            "id": each.id,
            "severity": each.severity.value,
            "place": each.place,
            "saying": each.saying,
            "why": each.why,
            "mend": each.mend,
        }
        for each in findings
    ]
    return json.dumps(document, indent=2)


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """One block for each id, its places first."""
    for _, group in groupby(findings, key=lambda each: (each.severity, each.id)):
        places = list(group)
        first = places[0]
        console.print(Text.assemble((first.severity.value, _STYLES[first.severity]), " ", (first.id, "bold")))
        for line in _lines(places):
            console.print(line)
        console.print(Text(f"  {first.why}"))
        console.print(Text(f"  Mend: {first.mend}\n"))
    console.print(", ".join(f"{_count(findings, severity)} {severity}s" for severity in Severity))


def _lines(places: Sequence[Finding]) -> Iterator[Text]:
    for each in places[:MOST_PLACES]:
        yield Text.assemble("  ", (each.place, "bold"), f" {each.saying}")
    if len(places) > MOST_PLACES:
        yield Text(f"  and {len(places) - MOST_PLACES} more places (--format json names all)")


def _count(findings: Sequence[Finding], severity: Severity) -> int:
    return sum(each.severity is severity for each in findings)
