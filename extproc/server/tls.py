"""Mutual TLS of the main port: what grpc serves with, and whose streams are taken.

TLS 1.2 at least, and a client's certificate always: both are grpc's own (its default, and
`require_client_authentication`).  A certificate of the CA is not yet a permission: its names are compared here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

import grpc

from extproc.server.certificates import Certificates

Names = tuple[str, ...]
_KINDS = ("peer_uri", "peer_dns")
"""grpc's names for the URIs and the DNS names of the peer's subjectAltName; a common name is no name (RFC 9525)."""


class Tls:
    """The credentials of the port and the names that may ask.

    `allowed` holds URIs and DNS names, compared octet by octet, each with those of its own kind.  `on_refused` hears
    the URIs and DNS names of a peer that has none of them.
    """

    def __init__(
        self, *, certificates: Certificates, allowed: Collection[str], on_refused: Callable[[Names], None]
    ) -> None:
        uris = frozenset(name.encode() for name in allowed if "://" in name)
        self._allowed = {"peer_uri": uris, "peer_dns": frozenset(name.encode() for name in allowed) - uris}
        self._on_refused = on_refused
        self._newest = self._served = _configuration(certificates)
        self.credentials: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
            self._served,
            self._fetch,  # type: ignore[arg-type]  # the stubs leave out None: no change
            require_client_authentication=True,
        )

    def replace(self, certificates: Certificates) -> None:
        """From the next handshake on.  Connections that are open stay as they are."""
        self._newest = _configuration(certificates)

    def admits(self, peer: Mapping[str, Iterable[bytes]]) -> bool:
        """Whether the peer of a stream, by its `auth_context`, may ask."""
        if any(not self._allowed[kind].isdisjoint(peer.get(kind, ())) for kind in _KINDS):
            return True
        names = (name for kind in _KINDS for name in peer.get(kind, ()))
        self._on_refused(tuple(name.decode("ascii", "backslashreplace") for name in names))
        return False

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """What grpc asks for before each handshake, from a thread of its own; None: no change."""
        newest = self._newest
        if newest is self._served:
            return None
        self._served = newest
        return newest


def _configuration(certificates: Certificates) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(certificates.key, certificates.chain)], root_certificates=certificates.client_ca
    )
