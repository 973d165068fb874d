"""A cheap upstream: a second Envoy that answers every request with the same JSON, from its configuration."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.works import RESPONSE
from extproc.demo.process import running
from extproc.istio.binary import envoy_binary
from extproc.istio.gateway import UnixAddress

_TYPE = "type.googleapis.com/envoy.extensions.filters"
_LISTENER_BYTES = 4 << 20


@asynccontextmanager
async def running_upstream(folder: Path) -> AsyncIterator[UnixAddress]:
    """The upstream on a Unix socket, ready."""
    socket, config = folder / "upstream.sock", folder / "upstream.json"
    config.write_text(json.dumps(_bootstrap(socket)))
    command = [str(envoy_binary()), "--config-path", str(config), "--concurrency", "1", "--use-dynamic-base-id"]
    command += ["--log-level", "warning"]

    async def ready() -> bool:
        return socket.exists()

    async with running(command, log=folder / "upstream.log", ready=ready):
        yield UnixAddress(str(socket))


def _bootstrap(socket: Path) -> dict[str, object]:
    answer = {"status": 200, "body": {"inline_bytes": base64.b64encode(RESPONSE).decode()}}
    content_type = {"header": {"key": "content-type", "value": "application/json"}}
    route = {
        "match": {"prefix": "/"},
        "direct_response": answer,
        "response_headers_to_add": [{**content_type, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "upstream",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router"}}],
    }
    listener = {
        "name": "upstream",
        "address": {"pipe": {"path": str(socket)}},
        "per_connection_buffer_limit_bytes": _LISTENER_BYTES,
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    return {"static_resources": {"listeners": [listener]}}
