"""Ways to change one rendered listener and the processor's cluster, and what a changed one is expected to show."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from istio.doctor.envoys import Document, http_filter, manager, policy

TYPE = "type.googleapis.com/envoy"
HTTP = f"{TYPE}.extensions.filters.http"


@dataclass(frozen=True)
class Mistake:
    """`finding` is made true by `mutate`, at a place that ends in `place`."""

    finding: str
    place: str
    mutate: Callable[[Document], None]


def setting(*path: str | int, to: object) -> Callable[[Document], None]:
    """Set a field of ext_proc's configuration."""

    def mutate(one: Document) -> None:
        _set(policy(one["listener"]), path, to)

    return mutate


def managing(*path: str | int, to: object) -> Callable[[Document], None]:
    """Set a field of the connection manager."""

    def mutate(one: Document) -> None:
        _set(manager(one["listener"]), path, to)

    return mutate


def listening(*path: str | int, to: object) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        _set(one["listener"], path, to)

    return mutate


def clustering(*path: str | int, to: object) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        _set(one["cluster"], path, to)

    return mutate


def _set(place: dict, path: tuple[str | int, ...], value: object) -> None:
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value


def without(name: str) -> Callable[[Document], None]:
    """Take an HTTP filter out."""

    def mutate(one: Document) -> None:
        manager(one["listener"])["http_filters"].remove(http_filter(one["listener"], name))

    return mutate


def moved(name: str, position: int) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        filters, each = manager(one["listener"])["http_filters"], http_filter(one["listener"], name)
        filters.remove(each)
        filters.insert(position, each)

    return mutate


def inserted(position: int, name: str, kind: str, **config: object) -> Callable[[Document], None]:
    """Put an HTTP filter before the one at this position."""

    def mutate(one: Document) -> None:
        added = {"name": name, "typed_config": {"@type": f"{HTTP}.{kind}", **config}}
        manager(one["listener"])["http_filters"].insert(position, added)

    return mutate


def on_the_route(**entries: Document) -> Callable[[Document], None]:
    """Per-route configuration by filter, `extproc__policy` for `extproc.policy`."""

    def mutate(one: Document) -> None:
        host = manager(one["listener"])["route_config"]["virtual_hosts"][0]
        host["routes"][0]["typed_per_filter_config"] = {
            name.replace("__", "."): entry for name, entry in entries.items()
        }

    return mutate


def another_route(one: Document) -> None:
    """Before the one that takes everything there is one for a path, the same but for that."""
    routes = manager(one["listener"])["route_config"]["virtual_hosts"][0]["routes"]
    routes.insert(0, {**copy.deepcopy(routes[0]), "match": {"path": "/health"}})


def unreached_route(one: Document) -> None:
    """Behind the one that takes everything there is the same again."""
    routes = manager(one["listener"])["route_config"]["virtual_hosts"][0]["routes"]
    routes.append(copy.deepcopy(routes[0]))


def renamed(name: str) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        http_filter(one["listener"], "extproc.policy")["name"] = name

    return mutate


def twice(one: Document) -> None:
    filters = manager(one["listener"])["http_filters"]
    filters.insert(2, copy.deepcopy(filters[2]))


def all_of(*mutations: Callable[[Document], None]) -> Callable[[Document], None]:
    def mutate(one: Document) -> None:
        for each in mutations:
            each(one)

    return mutate
