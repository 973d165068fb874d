"""No verdict, no upstream; no verdict, no response: filters that trust only metadata the processor wrote."""

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.rbac.v3 import (
    MetadataSource,
    Permission,
    Policy,
    Principal,
    RbacAction,
    SourcedMetadata,
)
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation as HeaderMutationFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import Mutations
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    StringMatcher,
    ValueMatcher,
)
from envoy_data_plane.google.protobuf import Any

from extproc.istio.gateway import NAMESPACE

REQUEST_GUARD = "extproc.request_guard"

# Envoy lets a response pass when its script fails, so the status and the body go first.  `body` and `trailers` suspend
# the script, after which `headers` must be asked for again.  What has no body (HEAD, 204) must not be given one.
RESPONSE_GUARD = """\
function envoy_on_response(handle)
  local verdict = handle:streamInfo():dynamicMetadata():get("{namespace}")
  if verdict == nil or verdict["request"] ~= "allow" then return end
  if verdict["response"] == "allow" or verdict["response"] == "waived" then return end
  handle:headers():replace(":status", "503")
  local body = handle:body()
  if body ~= nil then body:setBytes('{{"status":503,"title":"response_not_inspected"}}') end
  clear(handle:headers())
  handle:headers():replace("cache-control", "no-store")
  handle:headers():replace("content-type", "application/problem+json")
  local trailers = handle:trailers()
  if trailers ~= nil then clear(trailers) end
end

function clear(headers)
  local names = {{}}
  for name in pairs(headers) do
    if name:sub(1, 1) ~= ":" then names[name] = true end
  end
  for name in pairs(names) do headers:remove(name) end
end
"""


def response_guard() -> HttpFilter:
    """503 for a response that nobody decided, once the request was allowed.

    Requests that ext_proc never allowed are left alone: their 401, 404 and 429 are Envoy's own.
    """
    source = DataSource(inline_string=RESPONSE_GUARD.format(namespace=NAMESPACE))
    return HttpFilter(name="extproc.response_guard", typed_config=Any.pack(Lua(default_source_code=source)))


def strip_client_headers(prefix: str) -> HttpFilter:
    """No client may send a header that reads like ours."""
    forged = HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=prefix))
    mutations = Mutations(request_mutations=[HeaderMutation(remove_on_match=forged)])
    return HttpFilter(
        name="extproc.strip_client_headers", typed_config=Any.pack(HeaderMutationFilter(mutations=mutations))
    )


def request_guard() -> HttpFilter:
    """Only `request: allow`, written with the reply that completes the request's inspection, reaches the router."""
    said_allow = MetadataMatcher(
        filter=NAMESPACE,
        path=[MetadataMatcherPathSegment(key="request")],
        value=ValueMatcher(string_match=StringMatcher(exact="allow")),
    )
    permission = Permission(
        sourced_metadata=SourcedMetadata(metadata_matcher=said_allow, metadata_source=MetadataSource.DYNAMIC)
    )
    allowed = Policy(permissions=[permission], principals=[Principal(any=True)])
    rules = Rules(action=RbacAction.ALLOW, policies={"extproc_said_allow": allowed})
    rbac = Rbac(rules=rules, rules_stat_prefix="extproc_request_guard_")
    return HttpFilter(name=REQUEST_GUARD, typed_config=Any.pack(rbac))
