"""What the admin interface says beside the dump: about the process, not about its configuration."""

import json
import re
from dataclasses import dataclass

_UNKNOWN_FIELDS = re.compile(rb"^server\.(?:static|dynamic)_unknown_fields: ([0-9]{1,18})$", re.MULTILINE)

STATS = "/stats?filter=unknown_fields"
RUNTIME = "/runtime"


@dataclass(frozen=True, slots=True)
class Process:
    """None where it was not asked, or did not say.

    `unknown_fields`: messages whose unknown fields Envoy dropped.  `runtime`: the final value of each entry.
    """

    unknown_fields: int | None = None
    runtime: dict[str, str] | None = None


NOT_ASKED = Process()
"""Where there is a dump and no Envoy."""


def process_of(stats: bytes, runtime: bytes) -> Process:
    """Read the answers of STATS and RUNTIME."""
    counts = [int(count) for count in _UNKNOWN_FIELDS.findall(stats)]
    return Process(sum(counts) if counts else None, _final_values(runtime))


def _final_values(runtime: bytes) -> dict[str, str] | None:
    try:
        document = json.loads(runtime)
    except (ValueError, RecursionError):
        return None
    entries = document.get("entries") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        return None
    return {name: str(entry.get("final_value")) for name, entry in entries.items() if isinstance(entry, dict)}
