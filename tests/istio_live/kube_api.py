"""A Kubernetes API over `Objects`: list, watch, get, and writes that are kept; enough for an unchanged istiod."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from istio_live.objects import Object, Objects, Resource
from typing_extensions import override

# A watch ends where it was told to, or here; istiod then begins another.
WATCH_S = 300.0
_POLL_S = 1.0
_METADATA_ONLY = "PartialObjectMetadata"
# The end of a watch's first events needs the kind, also of a resource that has no object yet.
_KINDS = {
    "configmaps": "ConfigMap",
    "customresourcedefinitions": "CustomResourceDefinition",
    "endpointslices": "EndpointSlice",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "mutatingwebhookconfigurations": "MutatingWebhookConfiguration",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "serviceaccounts": "ServiceAccount",
    "validatingwebhookconfigurations": "ValidatingWebhookConfiguration",
}


@dataclass(frozen=True, slots=True)
class Path:
    """`/api/v1/namespaces/NS/pods/NAME/status`, read."""

    version: str
    resource: Resource
    namespace: str | None
    name: str | None
    status: bool

    @classmethod
    def read(cls, path: str) -> "Path | None":
        """None for a path that names no resource."""
        root, *parts = path.strip("/").split("/")
        if root == "api" and parts:
            group, version, parts = "", parts[0], parts[1:]
        elif root == "apis" and len(parts) > 1:
            group, version, parts = parts[0], f"{parts[0]}/{parts[1]}", parts[2:]
        else:
            return None
        namespace = None
        if len(parts) > 2 and parts[0] == "namespaces":
            namespace, parts = parts[1], parts[2:]
        if not parts:
            return None
        name = parts[1] if len(parts) > 1 else None
        return cls(version, Resource(group, parts[0]), namespace, name, parts[2:] == ["status"])


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: ClassVar[Objects]
    stopping: ClassVar[threading.Event]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        fixed = _FIXED.get(url.path)
        where = Path.read(url.path)
        if fixed is not None or where is None:
            self._answer(200 if fixed else 404, fixed or _status(404, "NotFound"))
            return
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        found, version = self.objects.listed(where.resource, where.namespace)
        wanted = where.name or query.get("fieldSelector", "").partition("metadata.name=")[2]
        found = [thing for thing in found if wanted in {"", None, thing["metadata"]["name"]}]
        if where.name:
            self._answer(*((200, self._shown(found[0], where)) if found else (404, _status(404, "NotFound"))))
        elif query.get("watch") in {"true", "1"}:
            self._watch(where, wanted, query, found, version)
        else:
            kind = {"kind": f"{_METADATA_ONLY}List", "apiVersion": "meta.k8s.io/v1"} if self._metadata_only else {}
            items = [self._shown(thing, where) for thing in found]
            self._answer(200, {**kind, "metadata": {"resourceVersion": str(version)}, "items": items})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        where = Path.read(urlsplit(self.path).path)
        if where is not None and where.resource.plural == "tokenreviews":
            self._answer(201, body | {"status": _token_status(body["spec"]["token"])})
            return
        if where is not None and where.resource.plural == "subjectaccessreviews":
            self._answer(201, body | {"status": {"allowed": self._may(body["spec"])}})
            return
        if where is None or where.status or "apiVersion" not in body:  # a review of access; a status
            self._answer(200, body)
            return
        if where.namespace:
            body.setdefault("metadata", {}).setdefault("namespace", where.namespace)
        self.objects.write(body)
        self._answer(201 if self.command == "POST" else 200, body)

    def _may(self, review: Object) -> bool:
        """Whether a RoleBinding names the service account: all that its Role could say is granted."""
        home = review["resourceAttributes"]["namespace"]
        bindings, _ = self.objects.listed(Resource("rbac.authorization.k8s.io", "rolebindings"), home)
        names = {f"system:serviceaccount:{home}:{each['name']}" for one in bindings for each in one["subjects"]}
        return review["user"] in names

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        """Not applied: what istiod patches (statuses, gateways that it would deploy) is nothing that we read."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        where = Path.read(urlsplit(self.path).path)
        found = self.objects.listed(where.resource, where.namespace)[0] if where else []
        one = [thing for thing in found if where and thing["metadata"]["name"] == where.name]
        self._answer(*((200, one[0]) if one else (404, _status(404, "NotFound"))))

    def do_DELETE(self) -> None:
        self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _watch(self, where: Path, name: str | None, query: dict[str, str], first: list[Object], version: int) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        try:
            if "sendInitialEvents" in query:
                for thing in first:
                    self._event("ADDED", self._shown(thing, where))
                self._event("BOOKMARK", self._bookmark(where, version))
            elif query.get("resourceVersion", "0") != "0":
                version = int(query["resourceVersion"])
            self._follow(where, name, version, float(query.get("timeoutSeconds", WATCH_S)))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            return

    def _follow(self, where: Path, name: str | None, version: int, timeout_s: float) -> None:
        for _ in range(int(timeout_s / _POLL_S)):
            if self.stopping.is_set():
                return
            events, version = self.objects.after(version, where.resource, _POLL_S)
            for event in events:
                meta = event.object["metadata"]
                if where.namespace in {None, meta.get("namespace")} and name in {None, "", meta["name"]}:
                    self._event(event.type, self._shown(event.object, where))

    def _event(self, kind: str, thing: Object) -> None:
        line = json.dumps({"type": kind, "object": thing}).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()

    def _bookmark(self, where: Path, version: int) -> Object:
        meta = {"resourceVersion": str(version), "annotations": {"k8s.io/initial-events-end": "true"}}
        return self._shown({"kind": self._kind(where.resource), "apiVersion": where.version, "metadata": meta}, where)

    def _kind(self, resource: Resource) -> str:
        definitions, _ = self.objects.listed(Resource("apiextensions.k8s.io", "customresourcedefinitions"))
        for names in (definition["spec"]["names"] for definition in definitions):
            if names["plural"] == resource.plural:
                return str(names["kind"])
        return _KINDS.get(resource.plural, resource.plural[:-1].capitalize())

    @property
    def _metadata_only(self) -> bool:
        return _METADATA_ONLY in self.headers.get("accept", "")

    def _shown(self, thing: Object, where: Path) -> Object:
        """The object in the version that was asked for, or its metadata alone."""
        if self._metadata_only:
            return {"kind": _METADATA_ONLY, "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}
        return {**thing, "apiVersion": where.version}

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: istiod's own log says what it could not read."""


_FIXED: dict[str, Object] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
}


def _token_status(token: str) -> Object:
    """Whose token it is: in this cluster it says so itself, NAMESPACE:SERVICEACCOUNT."""
    user = {"username": f"system:serviceaccount:{token}", "groups": ["system:serviceaccounts"]}
    return {"authenticated": True, "user": user}


def _status(code: int, reason: str) -> Object:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: istiod that ends resets its watches."""


@contextmanager
def kube_api(objects: Objects) -> Iterator[str]:
    """Serve these objects in threads of this process; the address is HOST:PORT."""
    stopping = threading.Event()
    handler = type("Handler", (_Handler,), {"objects": objects, "stopping": stopping})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, name="kube-api", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join()
