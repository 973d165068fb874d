"""What a rendering needs to know, as plain values: the caller maps configuration to it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from extproc.errors import ConfigurationError

NAMESPACE = "extproc"
"""Dynamic metadata that only the processor writes and only the guards read."""

LARGEST_PORT = 65_535

BUFFER_MARGIN_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """`host` is an IP literal or a DNS name; `port` 0 lets the kernel choose (listeners only)."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a stream socket."""

    path: str


Address: TypeAlias = TcpAddress | UnixAddress


def address_of(text: str) -> Address:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `unix:///PATH`.

    Raises ConfigurationError for anything else.
    """
    if text.startswith("unix:///"):
        return UnixAddress(path=text.removeprefix("unix://"))
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= LARGEST_PORT):
        raise ConfigurationError(f"{text!r} is no address: expected HOST:PORT or unix:///PATH")
    return TcpAddress(host=host.removeprefix("[").removesuffix("]"), port=int(port))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """The gateway's end of mutual TLS with the server.

    PEM files of the gateway's machine, which Envoy reads when it starts; `server_san` is the URI or the DNS name that
    the server's certificate must have.
    """

    certificate: str
    key: str
    server_ca: str
    server_san: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSettings:
    """What our filters need to know, in whatever gateway they stand.

    `request_headers` and `response_headers` are what a policy may change: lower-case names that may end in `*`.
    `status_on_error` is what Envoy answers when the processor does not (one of Envoy's `StatusCode` values).
    `waivers`: the server may tell Envoy not to buffer a body.
    """

    request_body_bytes: int = 1 << 20
    response_body_bytes: int = 1 << 20
    message_timeout_ms: int = 2_000
    status_on_error: int = 503
    prefix: str = "x-extproc-"
    request_headers: tuple[str, ...] = ("x-extproc-*",)
    response_headers: tuple[str, ...] = ("x-extproc-*",)
    path: bool = False
    mode: Literal["enforce", "shadow", "off"] = "enforce"
    response_point: bool = True
    waivers: bool = False

    @property
    def buffer_bytes(self) -> int:
        """`per_connection_buffer_limit_bytes`: a body just over our limit still arrives whole and gets our answer."""
        return max(self.request_body_bytes, self.response_body_bytes) + BUFFER_MARGIN_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(FilterSettings):
    """One plain Envoy in front of one upstream.

    `processors` holds one address per worker, all of them endpoints of one cluster, asked over `tls` where it is given.
    `otlp` receives Envoy's own spans, with `prompt_spans` each as it ends and not in batches of up to five seconds;
    `access_log` is a file path for one JSON object per exchange.
    """

    listen: Address
    upstream: Address
    processors: tuple[Address, ...]
    tls: ClientTls | None = None
    admin: Address = TcpAddress(host="127.0.0.1", port=0)
    otlp: Address | None = None
    prompt_spans: bool = False
    access_log: str | None = None
