"""Which trace an exchange belongs to.

Source: https://www.w3.org/TR/trace-context/#traceparent-header
"""

import re
from dataclasses import dataclass

_IDS = r"(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
_TRACEPARENT = re.compile(rf"00-{_IDS}|(?!00|ff)[0-9a-f]{{2}}-{_IDS}(?:-.*)?")
"""Version 00 is exact; a later version may hold more behind it; ff is forbidden."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Lower-case hexadecimal ids: 32 digits for the trace, 16 for the parent span; `sampled` is the lowest flag.

    An empty `parent_span_id` is a trace that begins here.
    """

    trace_id: str
    parent_span_id: str
    sampled: bool


def parse_traceparent(value: str) -> TraceContext | None:
    """The context of a `traceparent` value, or None where it is not one: a bad header starts a new trace."""
    match = _TRACEPARENT.fullmatch(value.strip())
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()[:3] if match[1] else match.groups()[3:]
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & 1))
