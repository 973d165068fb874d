"""The objects of a cluster without a cluster: what `kubectl apply` would store, with the events that watches see."""

import copy
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]

CLUSTER_SCOPED = {"Namespace", "CustomResourceDefinition", "GatewayClass", "Node"}
_PLURALS = {"Endpoints": "endpoints"}


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as its URL names it; objects are kept by group, for any version of it serves them."""

    group: str
    plural: str


_Key: TypeAlias = tuple[Resource, str, str]  # the resource, the namespace, the name


@dataclass(frozen=True, slots=True)
class Event:
    """One change, in the order of `version`."""

    version: int
    resource: Resource
    type: str
    object: Object


def plural(kind: str) -> str:
    """The plural of a kind, by the rule that Kubernetes' and Istio's kinds follow."""
    if kind in _PLURALS:
        return _PLURALS[kind]
    lower = kind.lower()
    if lower.endswith("y") and not lower.endswith(("ay", "ey")):
        return lower[:-1] + "ies"
    return lower + ("es" if lower.endswith("s") else "s")


def resource_of(thing: Mapping[str, Any]) -> Resource:
    """Where this object is served."""
    group, slash, _ = str(thing["apiVersion"]).rpartition("/")
    return Resource(group if slash else "", plural(str(thing["kind"])))


class Objects:
    """Everything that was applied.  Safe to use from any thread."""

    def __init__(self) -> None:
        self._objects: dict[_Key, Object] = {}
        self._applied: set[_Key] = set()
        self._events: list[Event] = []
        self._changed = threading.Condition(threading.RLock())
        self._version = 1000

    def apply(self, things: Iterable[Mapping[str, Any]]) -> None:
        """Add or replace; what is there already, the same in every field, makes no event."""
        with self._changed:
            for thing in things:
                self._applied.add(self._put(copy.deepcopy(dict(thing))))
            self._changed.notify_all()

    def write(self, thing: Object) -> None:
        """The same for what istiod itself writes, which outlives a scene: its leases."""
        with self._changed:
            self._put(thing)
            self._changed.notify_all()

    @contextmanager
    def scene(self) -> Iterator[None]:
        """A block at whose end everything is removed that was applied in it."""
        before = set(self._applied)
        try:
            yield
        finally:
            with self._changed:
                self.delete(self._objects[key] for key in self._applied - before if key in self._objects)

    def delete(self, things: Iterable[Mapping[str, Any]]) -> None:
        """Remove each of these, by kind, namespace and name.  Raises KeyError for one that is not there."""
        with self._changed:
            for thing in list(things):
                gone = self._objects.pop(_key(thing))
                self._applied.discard(_key(thing))
                self._version += 1
                self._events.append(Event(self._version, resource_of(gone), "DELETED", gone))
            self._changed.notify_all()

    def listed(self, resource: Resource, namespace: str | None = None) -> tuple[list[Object], int]:
        """The objects of a kind, of one namespace or of all, and the version of this answer."""
        with self._changed:
            found = [
                thing
                for (where, inside, _), thing in self._objects.items()
                if where == resource and namespace in {None, inside}
            ]
            return found, self._version

    def after(self, version: int, resource: Resource, timeout_s: float) -> tuple[list[Event], int]:
        """The events of a kind after `version`, waited for if there are none; empty after `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > version, timeout_s)
            events = [event for event in self._events if event.version > version and event.resource == resource]
            return events, self._version

    def _put(self, thing: Object) -> _Key:
        meta = thing.setdefault("metadata", {})
        if thing["kind"] not in CLUSTER_SCOPED:
            meta.setdefault("namespace", "default")
        key = _key(thing)
        old = self._objects.get(key)
        if old is not None and _content(old) == _content(thing):
            return key
        self._version += 1
        generation = old["metadata"]["generation"] + 1 if old else 1
        uid = old["metadata"]["uid"] if old else f"00000000-0000-4000-8000-{self._version:012}"
        meta |= {"uid": uid, "resourceVersion": str(self._version), "generation": generation}
        # Older first, as istiod orders what it merges; a version makes no two the same.
        meta["creationTimestamp"] = (old or {}).get("metadata", {}).get("creationTimestamp") or _time(self._version)
        self._objects[key] = thing
        self._events.append(Event(self._version, key[0], "MODIFIED" if old else "ADDED", thing))
        return key


def _key(thing: Mapping[str, Any]) -> _Key:
    meta = thing["metadata"]
    inside = "" if thing["kind"] in CLUSTER_SCOPED else meta.get("namespace", "default")
    return resource_of(thing), inside, meta["name"]


def _content(thing: Mapping[str, Any]) -> Object:
    """The object without what the API server adds."""
    meta = {name: value for name, value in thing["metadata"].items() if name not in _SERVER_OWNED}
    return {**thing, "metadata": meta}


_SERVER_OWNED = {"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"}


def _time(version: int) -> str:
    minutes, seconds = divmod(version - 1000, 60)
    return f"2026-01-01T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}Z"
