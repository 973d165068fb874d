"""Where in a mesh we run and which gateway asks us, as plain values."""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from extproc.errors import ConfigurationError

NAME = "extproc"
"""Of every object that we render."""

LABELS = {"app.kubernetes.io/name": NAME}

OPT_IN = "extproc=enabled"
"""A label of the gateway's pods, unless others are named.

Not `istio=ingressgateway`, which gateways of any team have: in Istio's root namespace, as istio-system is, an
EnvoyFilter is for the pods of every namespace, and a gateway whose identity may not ask would answer 503.
"""

STOCK_SERVICE_ACCOUNT = "istio-ingressgateway-service-account"
"""Of the gateway that `istioctl install` makes."""

SHARED_NAMESPACES = ("default", "istio-system", "kube-node-lease", "kube-public", "kube-system")

PORT = 9000
ADMIN_PORT = 9090

NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
TRUST_DOMAIN_PATTERN = re.compile(r"[a-z0-9._-]{1,255}")
"""SPIFFE-ID section 2.1.  In an AuthorizationPolicy `*` would stand for every one."""

_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9][-.a-z0-9]{0,252}/)?[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class ClassicGateway:
    """Pods of Istio's own ingress gateway, by their labels."""

    namespace: str
    service_account: str
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ApiGateway:
    """A Gateway of the Gateway API; istiod makes its Deployment and names everything after it."""

    namespace: str
    name: str

    @property
    def service_account(self) -> str:
        """As istiod names it for the class `istio`."""
        return f"{self.name}-istio"

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """What istiod puts on its pods."""
        return (("gateway.networking.k8s.io/gateway-name", self.name),)


IngressGateway: TypeAlias = ClassicGateway | ApiGateway


def ingress_gateway(
    *,
    kind: Literal["classic", "gateway-api"],
    namespace: str,
    name: str | None,
    service_account: str | None,
    labels: tuple[str, ...],
) -> IngressGateway:
    """From options; each label is `KEY=VALUE`.

    Raises ConfigurationError for a name or a label that Kubernetes does not take, for a Gateway without a name, and for
    what says nothing of a gateway of this kind.
    """
    if kind == "classic":
        if name is not None:
            raise ConfigurationError("--gateway-name is of a Gateway of the Gateway API: say --gateway gateway-api")
        account = STOCK_SERVICE_ACCOUNT if service_account is None else service_account
        pairs = tuple(map(_label, labels or (OPT_IN,)))
        if len(dict(pairs)) < len(pairs):
            raise ConfigurationError("--selector: two values of one label, and a pod has one: no pod would fit")
        return ClassicGateway(named(namespace), named(account), pairs)
    if labels or service_account is not None:
        raise ConfigurationError(
            "--selector and --gateway-service-account are of a classic gateway: istiod names both after the Gateway"
        )
    if name is None:
        raise ConfigurationError("a Gateway of the Gateway API is found by its name: say --gateway-name")
    return ApiGateway(named(namespace), named(name))


def named(text: str) -> str:
    """The same text, a DNS label of RFC 1123.

    Raises ConfigurationError for anything else.
    """
    if not NAME_PATTERN.fullmatch(text):
        raise ConfigurationError(f"{text!r} is no name of a Kubernetes object: lower-case letters, digits and dashes")
    return text


def excluded_route(text: str) -> tuple[str | None, str]:
    """`HOST/ROUTE` or `ROUTE`, as the host, None for every one, and the route's name.

    Raises ConfigurationError for an empty name, which would be every route of the gateway, and for an empty host.
    """
    host, _, name = text.partition("/") if "/" in text else (None, "", text)
    if not name or host == "":
        raise ConfigurationError(f"{text!r} is no route to exclude: expected HOST/ROUTE, or ROUTE for that of any host")
    return host, name


def _label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (equals and _LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
        raise ConfigurationError(f"{text!r} is no label: expected KEY=VALUE")
    return key, value


@dataclass(frozen=True, slots=True)
class Attachment:
    """The server in `namespace`, asked by `gateway`.

    `profile` service: a Service of its own pods, over mutual TLS, Istio's or the server's own.  `in-pod`: a container
    beside the gateway, over a Unix socket.  `excluded_routes` are routes that nobody inspects: `HOST/ROUTE`, or `ROUTE`
    for those of this name of every host.
    """

    gateway: IngressGateway
    namespace: str = NAME
    profile: Literal["service", "in-pod"] = "service"
    trust_domain: str = "cluster.local"
    excluded_routes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a namespace that others are in, and for what is no trust domain, as `*`."""
        if not TRUST_DOMAIN_PATTERN.fullmatch(self.trust_domain):
            raise ConfigurationError(
                f"--trust-domain: {self.trust_domain!r} is none: it is one mesh's, as cluster.local"
            )
        if self.profile == "service" and self.namespace in {*SHARED_NAMESPACES, self.gateway.namespace}:
            raise ConfigurationError(
                f"--namespace: {self.namespace} is not the server's own, and it goes when the server goes"
            )

    @property
    def home(self) -> str:
        """The namespace of the pods that the server runs in."""
        return self.gateway.namespace if self.profile == "in-pod" else self.namespace

    @property
    def host(self) -> str:
        """The Service's name in DNS."""
        return f"{NAME}.{self.namespace}.svc.cluster.local"

    @property
    def cluster(self) -> str:
        """The name that istiod gives the Service's cluster."""
        return f"outbound|{PORT}||{self.host}"
