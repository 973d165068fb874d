"""A proxy in the server's own pod that ends mutual TLS, as Istio's sidecar does.

Static, because Istio's own wants to catch the pod's traffic with iptables.  It asks for a certificate of the mesh
(STRICT), lets one principal in (AuthorizationPolicy), and writes down whom it let in.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from istio_live.certificates import Identity
from istio_live.gateway import http2_cluster

from extproc.demo.process import running

_TYPE = "type.googleapis.com/envoy.extensions"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Its access log."""

    log: Path

    async def callers(self) -> set[str]:
        """The identities that it let in so far."""
        return set(self.log.read_text().split()) if self.log.exists() else set()


@asynccontextmanager
async def sidecar(  # noqa: PLR0913 - what a pod is made of
    envoy: Path, folder: Path, *, root: bytes, identity: Identity, caller: str, port: int, server: int
) -> AsyncIterator[Sidecar]:
    """On `port` before the server's, for `caller` (a SPIFFE identity) alone."""
    config, admin_file, log = folder / "sidecar.json", folder / "sidecar-admin", folder / "callers"
    config.write_text(json.dumps(_bootstrap(port, server, _context(root, identity, caller), log)))
    command = [
        *(str(envoy), "--config-path", str(config), "--admin-address-path", str(admin_file)),
        *("--concurrency", "1", "--log-level", "warning", "--use-dynamic-base-id"),
        *("--file-flush-interval-msec", "50"),
    ]
    async with aiohttp.ClientSession() as session:

        async def ready() -> bool:
            if not admin_file.exists() or not (admin := admin_file.read_text().strip()):
                return False
            try:
                async with session.get(f"http://{admin}/ready") as answer:
                    return answer.status == 200
            except aiohttp.ClientError:
                return False

        async with running(command, log=folder / "sidecar.log", ready=ready):
            yield Sidecar(log)
    admin_file.unlink()


def _context(root: bytes, identity: Identity, caller: str) -> dict[str, object]:
    return {
        "@type": f"{_TYPE}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": {
            "alpn_protocols": ["h2"],
            "tls_certificates": [
                {
                    "certificate_chain": {"inline_string": identity.certificate.decode()},
                    "private_key": {"inline_string": identity.key.decode()},
                }
            ],
            "validation_context": {
                "trusted_ca": {"inline_string": root.decode()},
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": {"exact": caller}}],
            },
        },
    }


def _bootstrap(port: int, server: int, context: dict[str, object], log: Path) -> dict[str, object]:
    access_log = {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": f"{_TYPE}.access_loggers.file.v3.FileAccessLog",
            "path": str(log),
            "log_format": {"text_format_source": {"inline_string": "%DOWNSTREAM_PEER_URI_SAN%\n"}},
        },
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "extproc", "timeout": "0s"}}
    manager = {
        "@type": f"{_TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "inbound",
        "codec_type": "HTTP2",
        "access_log": [access_log],
        "route_config": {"virtual_hosts": [{"name": "extproc", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": context},
    }
    return {
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [{"name": "inbound", "address": _address(port), "filter_chains": [chain]}],
            "clusters": [http2_cluster("extproc", f"127.0.0.1:{server}")],
        },
    }


def _address(port: int) -> dict[str, object]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
