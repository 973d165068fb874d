"""Istio's EnvoyFilter, as far as we write one.  istiod takes any other field for none, so here it is an error.

Source: networking.istio.io/v1alpha3 EnvoyFilter, istio.io/api 1.31.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from extproc.errors import ConfigurationError
from extproc.istio.strict import canonical

Name = Annotated[str, Field(min_length=1)]
ApplyTo: TypeAlias = Literal["LISTENER", "NETWORK_FILTER", "HTTP_FILTER", "HTTP_ROUTE", "CLUSTER"]
Operation: TypeAlias = Literal["MERGE", "ADD", "INSERT_BEFORE"]


SET_BY_A_CLUSTER = {
    *("creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generation"),
    *("managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid"),
}
"""Of an object's metadata: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/."""


class Part(BaseModel):
    """A part of the object: camelCase, nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel, populate_by_name=True)


class Named(Part):
    """What is found by its name."""

    name: Name


class NetworkFilterMatch(Named):
    """A network filter, and within it the HTTP filter beside which a patch goes."""

    sub_filter: Named | None = None


class FilterChainMatch(Part):
    """Every filter chain that has this filter."""

    filter: NetworkFilterMatch


class ListenerMatch(Part):
    """Every listener that has such a filter chain."""

    filter_chain: FilterChainMatch


class VirtualHostMatch(Part):
    """A route by the name that its VirtualService or HTTPRoute gives it, of one host or of every one."""

    domain_name: Name | None = None
    route: Named


class RouteConfigurationMatch(Part):
    """Every route configuration that has such a route."""

    vhost: VirtualHostMatch


class Match(Part):
    """Where a patch goes.  No `proxy.proxyVersion`: the upgrade that it does not name would open the gateway."""

    context: Literal["GATEWAY"] = "GATEWAY"
    listener: ListenerMatch | None = None
    route_configuration: RouteConfigurationMatch | None = None


class PatchBody(Part):
    """What happens there; `value` is protojson."""

    operation: Operation
    value: Annotated[dict[str, JsonValue], Field(min_length=1)]


class ConfigPatch(Part):
    """One patch.  `match` and `value` are required: istiod panics over a patch without a value and drops them all."""

    apply_to: ApplyTo
    match: Match
    patch: PatchBody


class WorkloadSelector(Part):
    """The labels of the gateway's pods; without one the patches would reach every workload of the namespace."""

    labels: Annotated[dict[Name, str], Field(min_length=1)]


class TargetRef(Part):
    """A Gateway of the Gateway API, in the namespace of the EnvoyFilter."""

    group: Literal["gateway.networking.k8s.io"] = "gateway.networking.k8s.io"
    kind: Literal["Gateway"] = "Gateway"
    name: Name


class Spec(Part):
    """`priority` is not 0: our patches go in after those of other filters, next to the router."""

    workload_selector: WorkloadSelector | None = None
    target_refs: Annotated[tuple[TargetRef, ...], Field(min_length=1)] | None = None
    priority: Annotated[int, Field(gt=0)]
    config_patches: Annotated[tuple[ConfigPatch, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        """With both, istiod takes the targetRefs and says nothing."""
        if (self.workload_selector is None) is (self.target_refs is None):
            raise ValueError("exactly one of workloadSelector and targetRefs")
        return self


class Metadata(Part):
    """`namespace` is the gateway's."""

    name: Name
    namespace: Name
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class EnvoyFilter(Part):
    """The whole object."""

    api_version: Literal["networking.istio.io/v1alpha3"] = "networking.istio.io/v1alpha3"
    kind: Literal["EnvoyFilter"] = "EnvoyFilter"
    metadata: Metadata
    spec: Spec

    def document(self) -> dict[str, JsonValue]:
        """What is applied to a cluster.

        Raises ConfigurationError when it does not read back strictly.
        """
        document: dict[str, JsonValue] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        read(document)
        return document


def read(document: Mapping[str, object]) -> EnvoyFilter:
    """An EnvoyFilter, from a file or a cluster, as strictly as istiod does not read it.

    Raises ConfigurationError that names the patch and the field.  Does **not** say whether it is one of ours
    (extproc.istio.recognition), nor whether it attaches to anything.
    """
    try:
        envoy_filter = EnvoyFilter.model_validate_json(json.dumps(_as_applied(document)))
    except TypeError as error:  # YAML has sets, protojson has none
        raise ConfigurationError(f"EnvoyFilter: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"EnvoyFilter {place}: {first['msg']}") from None
    for number, patch in enumerate(envoy_filter.spec.config_patches):
        try:
            canonical(patch.apply_to, patch.patch.value)
        except ConfigurationError as error:
            raise ConfigurationError(f"EnvoyFilter spec.configPatches.{number}.patch.value: {error}") from None
    return envoy_filter


def _as_applied(document: Mapping[str, object]) -> dict[str, object]:
    """Without what a cluster adds to what was applied."""
    applied = {key: value for key, value in document.items() if key != "status"}
    metadata = applied.get("metadata")
    if isinstance(metadata, dict):
        applied["metadata"] = {key: value for key, value in metadata.items() if key not in SET_BY_A_CLUSTER}
    return applied
