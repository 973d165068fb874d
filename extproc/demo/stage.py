"""Everything that the story needs, started in the right order in one folder and stopped in the reverse order."""

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

import extproc
from extproc.config import load_settings
from extproc.demo.collector import Collector, collector
from extproc.demo.envoy import RunningEnvoy, running_envoy
from extproc.demo.opa import running_opa
from extproc.demo.progress import Progress
from extproc.demo.server import RunningServer, running_server
from extproc.demo.story import BLOCKING_MESSAGE, BLOCKING_STATUS, REQUEST_BODY_BYTES
from extproc.demo.upstream import Upstream, running_upstream
from extproc.errors import PolicyLoadError
from extproc.evidence.keys import create_signer, jwks
from extproc.istio.binary import envoy_binary
from extproc.istio.gateway import Gateway, TcpAddress, address_of
from extproc.istio.mapping import gateway_of

EngineName: TypeAlias = Literal["embedded", "opa"]

_ANY_PORT = TcpAddress("127.0.0.1", 0)
_LEAKING = ("EXTPROC_", "OTEL_", "grpc_proxy", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
_DEADLINE_MS = 2_000  # a laptop that is busy must not turn a row into `engine_timeout`


@dataclass(frozen=True, slots=True)
class Stage:
    """What runs, and where it keeps its things: `pinned` is the JWK Set that receipts are verified with."""

    engine: EngineName
    folder: Path
    policies: Path
    pinned: Path
    upstream: Upstream
    collector: Collector
    server: RunningServer
    envoy: RunningEnvoy

    @property
    def receipts(self) -> Path:
        """The evidence directory."""
        return self.folder / "receipts"

    @property
    def envoy_log(self) -> Path:
        """What Envoy says."""
        return self.folder / "envoy.log"


@asynccontextmanager
async def stage(folder: Path, engine: EngineName, progress: Progress) -> AsyncIterator[Stage]:
    """All of it, ready.  Raises StartupError, with the last lines of the log of what did not come up."""
    envoy_binary()  # before anything starts: without it there is nothing to show
    policies = policies_folder()
    async with AsyncExitStack() as stack:
        with progress.step("a signing key, made and pinned") as say:
            pinned, kid = _pin(folder)
            say(f"key id {kid}")
        with progress.step("the upstream, a small shop") as say:
            upstream = await stack.enter_async_context(running_upstream())
            say(f"http://{upstream.address}")
        with progress.step("an OTLP receiver for the spans") as say:
            receiver = stack.enter_context(collector())
            say(receiver.endpoint)
        document = settings_document(folder, policies, receiver.endpoint)
        if engine == "opa":
            with progress.step("an OPA server") as say:
                url = await stack.enter_async_context(running_opa(policies, folder))
                say(url)
            document["policy"] = {**_policy(policies), "engine": "opa", "opa": {"url": url}}
        with progress.step("extproc serve, with the policies") as say:
            server = await stack.enter_async_context(running_server(document, folder))
            say(str(policies))
        with progress.step("Envoy in front of them") as say:
            gateway = _gateway(server, upstream, receiver)
            envoy = await stack.enter_async_context(running_envoy(gateway, folder))
            say(f"http://{envoy.address}")
        yield Stage(engine, folder, policies, pinned, upstream, receiver, server, envoy)


def settings_document(folder: Path, policies: Path, otlp: str) -> dict[str, object]:
    """The server's configuration: one Unix socket for Envoy, the demo's body limit, and what a denial looks like."""
    return {
        "listen": f"unix://{folder}/extproc.sock",
        "admin": {"listen": "127.0.0.1:0"},
        "policy": _policy(policies),
        "blocking": {"status": BLOCKING_STATUS, "message": BLOCKING_MESSAGE},
        "inspection": {"request_body_bytes": REQUEST_BODY_BYTES},
        "envoy": {"message_timeout_ms": 2 * _DEADLINE_MS},
        "evidence": {"directory": str(folder / "receipts")},
        "telemetry": {"otlp": {"endpoint": otlp}},
    }


def policies_folder() -> Path:
    """The policies of the checkout that this package runs from, to be edited there, else those inside the wheel."""
    package = Path(extproc.__file__).parent
    candidates = (package.parent / "policies", package / "policies")
    for folder in candidates:
        if (folder / "extproc" / "request" / "decision.rego").is_file():
            return folder
    raise PolicyLoadError(f"no policies in {' or '.join(map(str, candidates))}: install the package anew")


def forget_surroundings() -> None:
    """Drop variables that would lead the demo's processes away from their own files and ports."""
    for name in _leaking():
        del os.environ[name]


def _leaking() -> Iterator[str]:
    yield from [name for name in os.environ if name.startswith(_LEAKING)]


def _policy(policies: Path) -> dict[str, object]:
    return {"paths": [str(policies)], "deadline_ms": _DEADLINE_MS}


def _pin(folder: Path) -> tuple[Path, str]:
    """Make the key before anything is signed, so that what is pinned comes from us and not from a receipt."""
    signer = create_signer(folder / "receipts" / "signing.pem")
    pinned = folder / "pinned.jwks"
    pinned.write_text(jwks([signer.verifier]))
    return pinned, signer.kid


def _gateway(server: RunningServer, upstream: Upstream, receiver: Collector) -> Gateway:
    gateway = gateway_of(
        load_settings(server.config),
        listen=_ANY_PORT,
        upstream=address_of(upstream.address),
        admin=_ANY_PORT,
        otlp=TcpAddress("127.0.0.1", receiver.port),
    )
    return replace(gateway, prompt_spans=True)
