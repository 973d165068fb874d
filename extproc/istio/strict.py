"""A patch read back into its message, strictly.  istiod drops a field that it does not know, in silence.

The messages are protobuf's own classes, not those that the patch was built from: two implementations must agree.
"""

from collections.abc import Mapping

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route
from envoy.extensions.filters.http.ext_proc.v3 import ext_proc_pb2
from envoy.extensions.filters.http.header_mutation.v3 import header_mutation_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2
from envoy.extensions.filters.http.rbac.v3 import rbac_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError

from extproc.errors import ConfigurationError

_MESSAGES = {
    "LISTENER": Listener,
    "NETWORK_FILTER": Filter,
    "HTTP_FILTER": http_connection_manager_pb2.HttpFilter,
    "HTTP_ROUTE": Route,
    "CLUSTER": Cluster,
}

KNOWN = (
    ext_proc_pb2,
    header_mutation_pb2,
    http_connection_manager_pb2,
    http_protocol_options_pb2,
    lua_pb2,
    previous_hosts_pb2,
    rbac_pb2,
)
"""What an `Any` may hold: protobuf finds a type in its pool once its module was imported."""


def canonical(apply_to: str, value: Mapping[str, object]) -> dict[str, object]:
    """The `value` of a patch of this kind, parsed with every message inside an `Any` and written again in one way.

    One way: the field names of the .proto files, no field that has its default, enumerators by name, `2s` for 2.000s.
    Raises ConfigurationError for a field that does not exist, a value of another type, an unknown enumerator or
    `@type`, and for a kind of patch that we never write.  Does **not** check Envoy's own constraints (ranges, regular
    expressions): `envoy --mode validate` does.
    """
    message = _MESSAGES.get(apply_to)
    if message is None:
        raise ConfigurationError(f"applyTo: {apply_to} is none of {', '.join(_MESSAGES)}")
    try:
        return MessageToDict(ParseDict(dict(value), message()), preserving_proto_field_name=True)
    except ParseError as error:
        raise ConfigurationError(str(error)) from None
