"""Which headers Envoy lets the processor change.  What the rules do not allow is dropped in silence."""

import re

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRules
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher

from extproc.istio.gateway import FilterSettings

OWN_REQUEST_HEADERS = ("accept-encoding", "range", "if-range")
"""Cut down by the server so that it can read the response that it will inspect."""

OWN_RESPONSE_HEADERS = ("content-type", "cache-control", "retry-after")
"""Set by the server on its denials; Envoy itself writes their content-length."""


def mutation_rules(settings: FilterSettings) -> HeaderMutationRules:
    """Deny all but an allow-list: Envoy has one expression for both directions, the core keeps them apart."""
    configured = (*settings.request_headers, *settings.response_headers)
    names = {f"{settings.prefix}*", *OWN_REQUEST_HEADERS, *OWN_RESPONSE_HEADERS, *configured}
    if settings.path:
        names.add(":path")
    expression = "|".join(_expression(name) for name in sorted(names))
    return HeaderMutationRules(disallow_all=True, allow_expression=RegexMatcher(regex=expression))


def _expression(pattern: str) -> str:
    """RE2 for a lower-case name, whole match, in which only a trailing `*` is special."""
    # As Go's regexp.QuoteMeta, with which the chart writes it.
    literal = re.sub(r"\\([-#&~])", r"\1", re.escape(pattern.removesuffix("*")))
    return f"{literal}.*" if pattern.endswith("*") else literal
