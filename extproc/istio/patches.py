"""The EnvoyFilter: the same messages that a plain Envoy gets, as patches to a gateway that istiod configures."""

from collections.abc import Sequence
from typing import assert_never

import betterproto2
from envoy_data_plane.envoy.config.core.v3 import (
    GrpcService,
    GrpcServiceEnvoyGrpc,
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, Listener
from envoy_data_plane.envoy.config.route.v3 import Route
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ExtProcPerRoute
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import RbacPerRoute
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.google.protobuf import Any

from extproc.istio.attachment import (
    LABELS,
    NAME,
    ApiGateway,
    Attachment,
    ClassicGateway,
    IngressGateway,
    excluded_route,
)
from extproc.istio.clusters import processor_cluster
from extproc.istio.envoy_filter import (
    ApplyTo,
    ConfigPatch,
    EnvoyFilter,
    FilterChainMatch,
    ListenerMatch,
    Match,
    Metadata,
    Named,
    NetworkFilterMatch,
    Operation,
    PatchBody,
    RouteConfigurationMatch,
    Spec,
    TargetRef,
    VirtualHostMatch,
    WorkloadSelector,
)
from extproc.istio.gateway import Address, FilterSettings
from extproc.istio.guards import REQUEST_GUARD
from extproc.istio.hardening import hardening, our_filters
from extproc.istio.processor import FILTER_NAME, LOCAL

CONNECTION_MANAGER = "envoy.filters.network.http_connection_manager"
ROUTER = "envoy.filters.http.router"

# After the EnvoyFilters of others, whose priority is 0 unless they say so: what they put before the router stays
# before our filters.
PRIORITY = 100

RETRY_ON = "connect-failure,refused-stream,reset-before-request,unavailable"
RETRIES = 2


def envoy_filter(settings: FilterSettings, attachment: Attachment, workers: Sequence[Address] = ()) -> EnvoyFilter:
    """The whole object; `workers` are the sockets of the in-pod profile.

    Raises ConfigurationError for a value that Envoy cannot hold.
    """
    in_pod = attachment.profile == "in-pod"
    cluster = [_patch("CLUSTER", Match(), "ADD", processor_cluster(workers))] if in_pod else []
    filters = our_filters(settings, LOCAL if in_pod else remote(attachment))
    patches = (
        *cluster,
        _listener(settings.buffer_bytes),
        _connection_manager(),
        *(_before_the_router(each) for each in filters),
        *(_excluded(route) for route in attachment.excluded_routes),
    )
    # For an istiod that sends a gateway only the clusters that its routes name.
    services = {"envoyfilter.istio.io/referenced-services": f"{attachment.namespace}/{attachment.host}"}
    return EnvoyFilter(
        metadata=Metadata(
            name=NAME,
            namespace=attachment.gateway.namespace,
            labels=LABELS,
            annotations=None if in_pod else services,
        ),
        spec=_spec(attachment.gateway, patches),
    )


def _spec(gateway: IngressGateway, patches: tuple[ConfigPatch, ...]) -> Spec:
    match gateway:
        case ClassicGateway(labels=labels):
            selector = WorkloadSelector(labels=dict(labels))
            return Spec(workload_selector=selector, priority=PRIORITY, config_patches=patches)
        case ApiGateway(name=name):
            return Spec(target_refs=(TargetRef(name=name),), priority=PRIORITY, config_patches=patches)
    assert_never(gateway)


def remote(attachment: Attachment) -> GrpcService:
    """The Service's cluster.  A pod that is gone is noticed by an exchange, which then asks another.

    Only what no pod has answered is asked again: the stream could not be opened, or was refused before it was read.
    """
    others = RetryPolicyRetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts", typed_config=Any.pack(PreviousHostsPredicate())
    )
    return GrpcService(
        envoy_grpc=GrpcServiceEnvoyGrpc(
            cluster_name=attachment.cluster,
            # Envoy would send the cluster's name, in which `|` is no character of an authority.
            authority=attachment.host,
        ),
        # Not that of `envoy_grpc`, which is for Envoy's own xDS streams.
        retry_policy=RetryPolicy(
            retry_on=RETRY_ON,
            num_retries=RETRIES,
            retry_host_predicate=[others],
            host_selection_retry_max_attempts=3,
        ),
    )


def _listener(buffer_bytes: int) -> ConfigPatch:
    return _patch("LISTENER", Match(), "MERGE", Listener(per_connection_buffer_limit_bytes=buffer_bytes))


def _connection_manager() -> ConfigPatch:
    value = Filter(name=CONNECTION_MANAGER, typed_config=Any.pack(hardening()))
    return _patch("NETWORK_FILTER", _every_chain(None), "MERGE", value)


def _before_the_router(value: HttpFilter) -> ConfigPatch:
    return _patch("HTTP_FILTER", _every_chain(ROUTER), "INSERT_BEFORE", value)


def _excluded(route: str) -> ConfigPatch:
    """Off on ext_proc and on the request guard: one alone would refuse everything, or ask and not mind the answer."""
    off = {
        FILTER_NAME: Any.pack(ExtProcPerRoute(disabled=True)),
        REQUEST_GUARD: Any.pack(RbacPerRoute()),
    }
    host, name = excluded_route(route)
    routes = RouteConfigurationMatch(vhost=VirtualHostMatch(domain_name=host, route=Named(name=name)))
    return _patch("HTTP_ROUTE", Match(route_configuration=routes), "MERGE", Route(typed_per_filter_config=off))


def _every_chain(http_filter: str | None) -> Match:
    sub_filter = None if http_filter is None else Named(name=http_filter)
    manager = NetworkFilterMatch(name=CONNECTION_MANAGER, sub_filter=sub_filter)
    return Match(listener=ListenerMatch(filter_chain=FilterChainMatch(filter=manager)))


def _patch(apply_to: ApplyTo, match: Match, operation: Operation, value: betterproto2.Message) -> ConfigPatch:
    document = value.to_dict(casing=betterproto2.Casing.SNAKE)
    return ConfigPatch(apply_to=apply_to, match=match, patch=PatchBody(operation=operation, value=document))
