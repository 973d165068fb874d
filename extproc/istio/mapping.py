"""From what the operator configured to what a gateway must be told."""

from dataclasses import fields
from pathlib import Path
from typing import assert_never

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import Attachment
from extproc.istio.envoy_filter import EnvoyFilter
from extproc.istio.gateway import Address, ClientTls, FilterSettings, Gateway, TcpAddress, UnixAddress, address_of
from extproc.istio.patches import envoy_filter


def gateway_of(  # noqa: PLR0913 - what is in front, behind and beside
    settings: Settings,
    listen: Address,
    upstream: Address,
    admin: Address,
    otlp: Address | None,
    *,
    tls: ClientTls | None = None,
) -> Gateway:
    """The gateway in front of `upstream` that asks the workers of these settings.

    Raises ConfigurationError for a value that Envoy cannot hold, and for a port that only the server will know.
    """
    server = address_of(settings.listen)
    if isinstance(server, TcpAddress) and not server.port:
        raise ConfigurationError(
            f"listen: {settings.listen} lets the kernel choose a port, and Envoy cannot be told which: name one"
        )
    shared = filter_settings(settings)
    return Gateway(
        listen=listen,
        upstream=upstream,
        processors=worker_addresses(server, settings.workers),
        admin=admin,
        otlp=otlp,
        tls=tls,
        **{field.name: getattr(shared, field.name) for field in fields(shared)},
    )


def client_tls_of(
    settings: Settings, certificate: Path | None, key: Path | None, server_ca: Path | None, server_san: str | None
) -> ClientTls | None:
    """The gateway's end of what `tls` asks for.

    Raises ConfigurationError where it is not said in full, and where the server has no TLS.
    """
    given = (certificate, key, server_ca, server_san)
    if settings.tls is None:
        if any(given):
            raise ConfigurationError("tls is absent: the server has no TLS, so that a gateway needs no certificate")
        return None
    if not (certificate and key and server_ca and server_san):
        raise ConfigurationError(
            "tls: the server takes mutual TLS alone: say --client-certificate, --client-key, --server-ca, --server-san"
        )
    return ClientTls(certificate=str(certificate), key=str(key), server_ca=str(server_ca), server_san=server_san)


def envoy_filter_of(settings: Settings, attachment: Attachment) -> EnvoyFilter:
    """The patches that make a gateway of the mesh ask the server of these settings.

    Raises ConfigurationError for a value that Envoy cannot hold, and in the in-pod profile when the server does not
    listen on a Unix socket.
    """
    server = address_of(settings.listen)
    if attachment.profile == "service":
        return envoy_filter(filter_settings(settings), attachment)
    if not isinstance(server, UnixAddress):
        raise ConfigurationError(
            f"listen: {settings.listen} is no Unix socket, over which a container in the gateway's pod is asked: "
            "write unix:///run/extproc/extproc.sock"
        )
    return envoy_filter(filter_settings(settings), attachment, worker_addresses(server, settings.workers))


def filter_settings(settings: Settings) -> FilterSettings:
    """What the filters must be told: limits, time-outs and header rules have this one source."""
    return FilterSettings(
        request_body_bytes=settings.inspection.request_body_bytes,
        response_body_bytes=settings.inspection.response_body_bytes,
        message_timeout_ms=settings.envoy.message_timeout_ms,
        status_on_error=settings.blocking.failure_status,
        prefix=settings.headers.prefix,
        request_headers=settings.mutations.request_headers,
        response_headers=settings.mutations.response_headers,
        path=settings.mutations.path,
        mode=settings.policy.mode,
        response_point=settings.policy.points.response is not None,
        waivers=_waivers(settings),
    )


def _waivers(settings: Settings) -> bool:
    """Whether a body may pass unseen: by the headers point, by a state that is left to the policy, outside enforce."""
    states = settings.inspection.states
    evaluated = "evaluate" in (states.request.upgrade, states.response.stream)
    return settings.policy.mode != "enforce" or settings.policy.points.headers is not None or evaluated


def worker_addresses(listen: Address, workers: int) -> tuple[Address, ...]:
    """Worker i listens on port + i, or on `<socket>.i`; a single worker's socket has no suffix.

    The server has the same rule (extproc.server.translation).
    """
    if workers == 1:
        return (listen,)
    match listen:
        case TcpAddress(host=host, port=port):
            return tuple(TcpAddress(host=host, port=port + number) for number in range(workers))
        case UnixAddress(path=path):
            return tuple(UnixAddress(path=f"{path}.{number}") for number in range(workers))
    assert_never(listen)
