"""What belongs together in a dump: listeners, their HTTP filter chains, the routes below, the clusters."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import chain as joined

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ExternalProcessor
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions

from extproc.istio.doctor.dump import Dump
from extproc.istio.doctor.http_filter import Filter, config_of, filter_at
from extproc.istio.doctor.node import Node
from extproc.istio.doctor.process import Process
from extproc.istio.doctor.reading import Reader
from extproc.istio.gateway import NAMESPACE
from extproc.istio.processor import CLUSTER_NAME, FILTER_NAME

CONNECTION_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
EXT_PROC = "envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor"

PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

# What is looked at place by place, or not at all: most of a listener's bytes.
_PLACES = ("filter_chains", "default_filter_chain", "http_filters", "route_config", "upgrade_configs", "access_log")

# Istio's own listeners for metrics and its probe take these prefixes, to these clusters of the same pod, and no others.
_OWN_ROUTES = frozenset({("/stats/prometheus", "prometheus_stats"), ("/healthz/ready", "agent")})


@dataclass(frozen=True, slots=True)
class Processor:
    """The ext_proc filter that is ours, at `position` in its chain."""

    filter: Filter
    position: int
    config: ExternalProcessor

    def path_to(self, field: str) -> str:
        """Where a field of its configuration is or would be."""
        return self.filter.config.path_to(field)

    @property
    def cluster(self) -> str:
        """The cluster that it asks; empty where it names none."""
        service = self.config.grpc_service
        return service.envoy_grpc.cluster_name if service and service.envoy_grpc else ""


@dataclass(frozen=True, slots=True)
class HttpChain:
    """The filters that an HTTP request passes, in order: those of a connection manager, or of one of its upgrades.

    `routes` are the route configurations that the dump holds for it; `unseen` names the one that it does not hold.
    """

    node: Node
    listener: "SeenListener"
    manager: HttpConnectionManager
    filters: tuple[Filter, ...]
    processors: tuple[Processor, ...]
    routes: tuple[Node, ...]
    unseen: str | None

    @property
    def forwards(self) -> bool:
        """Whether a request may come to a cluster, other than by the two of Istio's own routes.

        A host's `matcher` in place of routes is not looked into.
        """
        hosts = [host for config in self.routes for host in config.each("virtual_hosts")]
        return self.unseen is not None or any(
            host.field("matcher") is not None or any(forwards(route) for route in host.each("routes")) for host in hosts
        )

    def named(self, name: str) -> tuple[int, Filter] | None:
        """The first filter of this name, with its position."""
        return next(((index, each) for index, each in enumerate(self.filters) if each.name == name), None)


@dataclass(frozen=True, slots=True)
class SeenListener:
    """A listener that takes connections; `config` None where it could not be read."""

    node: Node
    name: str
    config: Listener | None


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """A cluster that a processor names; `protocol` is the entry of its extension options, where it has one."""

    node: Node
    config: Cluster
    protocol: tuple[Node, HttpProtocolOptions] | None


@dataclass(frozen=True, slots=True)
class View:
    """The whole gateway.

    `opaque`: network filter chains that hold no connection manager.  `clusters`: those that processors name and the
    dump holds.  `unknown` and `unreadable`: paths.
    """

    dump: Dump
    process: Process
    chains: tuple[HttpChain, ...]
    opaque: tuple[Node, ...]
    clusters: dict[str, SeenCluster]
    unknown: tuple[str, ...]
    unreadable: tuple[str, ...]

    @property
    def processed(self) -> Iterator[tuple[HttpChain, Processor]]:
        """Every chain that asks us, with the filter that does; a chain that asks twice comes twice."""
        return ((chain, processor) for chain in self.chains for processor in chain.processors)


def view_of(dump: Dump, process: Process) -> View:
    """Sort a dump."""
    reader = Reader()
    routes = {config.text("name"): config for config in _dynamic_routes(dump)}
    chains: list[HttpChain] = []
    opaque: list[Node] = []
    for node in _listeners(dump):
        listener = SeenListener(node, node.text("name"), reader.read(node, Listener, leaving=_PLACES))
        for network in _network_chains(node):
            managers = [each for each in network.each("filters") if config_of(each).type_name == CONNECTION_MANAGER]
            for manager in managers:
                chains += _http_chains(config_of(manager), listener, routes, reader)
            if not managers:
                opaque.append(network)
    names = {processor.cluster for chain in chains for processor in chain.processors}
    clusters = _clusters(dump, names, reader)
    return View(dump, process, tuple(chains), tuple(opaque), clusters, tuple(reader.unknown), tuple(reader.unreadable))


def _listeners(dump: Dump) -> Iterator[Node]:
    """Those in force.  One that warms or was refused takes no connection."""
    for node in dump.each("Listeners", "static_listeners"):
        if listener := node.field("listener"):
            yield listener
    for node in dump.each("Listeners", "dynamic_listeners"):
        if (state := node.field("active_state")) and (listener := state.field("listener")):
            yield listener


def _network_chains(listener: Node) -> Iterator[Node]:
    default = listener.field("default_filter_chain")
    return joined(listener.each("filter_chains"), [] if default is None else [default])


def _http_chains(node: Node, listener: SeenListener, routes: dict[str, Node], reader: Reader) -> Iterator[HttpChain]:
    """The manager's own chain, and one for each upgrade that has filters of its own."""
    manager = reader.read(node, HttpConnectionManager, leaving=_PLACES)
    if manager is None:
        return
    found, unseen = _routes(node, routes)
    upgrades = [upgrade for upgrade in node.each("upgrade_configs") if any(upgrade.each("filters"))]
    for place, field in [(node, "http_filters"), *((upgrade, "filters") for upgrade in upgrades)]:
        filters = tuple(filter_at(each) for each in place.each(field))
        processors = tuple(_processors(filters, reader))
        yield HttpChain(place, listener, manager, filters, processors, found, unseen)


def _processors(filters: tuple[Filter, ...], reader: Reader) -> Iterator[Processor]:
    for position, each in enumerate(filters):
        if each.type_name == EXT_PROC:
            config = reader.read(each.config, ExternalProcessor)
            if config is not None and _is_ours(each.name, config):
                yield Processor(each, position, config)


def _is_ours(name: str, config: ExternalProcessor) -> bool:
    """By its name, by the metadata that it may write, or by whom it asks: a mistake in one must not hide the filter."""
    options = config.metadata_options
    receiving = options.receiving_namespaces if options else None
    service = config.grpc_service
    asked = service.envoy_grpc.cluster_name if service and service.envoy_grpc else ""
    return name == FILTER_NAME or asked == CLUSTER_NAME or (receiving is not None and NAMESPACE in receiving.untyped)


def _routes(manager: Node, dynamic: dict[str, Node]) -> tuple[tuple[Node, ...], str | None]:
    """The route configurations of a manager, and the name of what the dump does not hold."""
    if inline := manager.field("route_config"):
        return (inline,), None
    rds = manager.field("rds")
    name = rds.text("route_config_name") if rds else "scoped routes"
    return ((dynamic[name],), None) if name in dynamic else ((), name)


def _dynamic_routes(dump: Dump) -> Iterator[Node]:
    for node in dump.each("Routes", "dynamic_route_configs"):
        if config := node.field("route_config"):
            yield config


def forwards(route: Node) -> bool:
    """Whether it has the action `route`, and is none of Istio's own."""
    action, match = route.field("route"), route.field("match")
    return action is not None and (match.text("prefix") if match else "", action.text("cluster")) not in _OWN_ROUTES


def _clusters(dump: Dump, names: Container[str], reader: Reader) -> dict[str, SeenCluster]:
    found = {}
    for each in dump.each("Clusters", "static_clusters", "dynamic_active_clusters"):
        if (node := each.field("cluster")) and (name := node.text("name")) in names:
            config = reader.read(node, Cluster)
            if config is not None:
                found[name] = SeenCluster(node, config, _protocol(node, reader))
    return found


def _protocol(cluster: Node, reader: Reader) -> tuple[Node, HttpProtocolOptions] | None:
    for key, place in cluster.entries("typed_extension_protocol_options"):
        if key == PROTOCOL and (options := reader.read(place, HttpProtocolOptions)) is not None:
            return place, options
    return None
