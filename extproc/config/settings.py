"""Every key, its type, its bounds and its default.  docs/configuration.md is the reference."""

from pathlib import Path
from typing import Literal, Self

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from extproc.config.values import (
    MAX_PORT,
    Address,
    Builtin,
    ClientError,
    Entrypoint,
    File,
    HeaderPattern,
    MessageBytes,
    SigningAlgorithm,
    StateAnswer,
    SubjectAltNames,
    TcpAddress,
    Url,
    Whole,
)

MARGIN_MS = 500
"""`envoy.message_timeout_ms` exceeds `policy.deadline_ms` by this, so that we answer before Envoy gives up."""


class Section(BaseModel):
    """A part of the file; a key that it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Admin(Section):
    """The supervisor's HTTP port: /livez /readyz /metrics /jwks.json /version."""

    listen: TcpAddress = "127.0.0.1:9090"


class Tls(Section):
    """Mutual TLS on `listen`: PEM files, and the names of which a client's certificate must have one.

    Anybody whom `client_ca` certifies could ask without `client_san`.
    """

    certificate: File
    key: File
    client_ca: File
    client_san: SubjectAltNames


class Opa(Section):
    """A real OPA server, for `policy.engine: opa`."""

    url: Url = AnyHttpUrl("http://127.0.0.1:8181")


class Points(Section):
    """The entrypoint of each decision point.  `response: null` leaves responses uninspected, by name."""

    headers: Entrypoint | None = None
    request: Entrypoint = "extproc/request/decision"
    response: Entrypoint | None = "extproc/response/decision"


class BundleKey(Section):
    """A key that policy bundles may be signed with: PEM of the public key, or the secret for HS256 to HS512."""

    file: File
    algorithm: SigningAlgorithm = "RS256"
    scope: str = ""


class Policy(Section):
    """What decides."""

    engine: Literal["embedded", "opa"] = "embedded"
    paths: tuple[File, ...] = ()
    data: dict[str, object] = {}
    bundle_keys: dict[str, BundleKey] = {}
    allow_builtins: tuple[Builtin, ...] = ()
    memory_bytes: Whole = Field(default=1 << 30, ge=64 << 20)
    explain: bool = False
    opa: Opa = Opa()
    deadline_ms: Whole = Field(default=150, ge=1, le=60_000)
    points: Points = Points()
    mode: Literal["enforce", "shadow", "off"] = "enforce"


class Blocking(Section):
    """How a denial looks to the client."""

    status: ClientError = 403
    failure_status: ClientError | Literal[503] = 503
    message: str = Field(default="Access Forbidden", max_length=4096)
    format: Literal["json", "text"] = "json"


class RequestStates(Section):
    """The answer to a request body that the policy cannot see: a 4xx, or `evaluate` and the policy sees the state."""

    over_limit: StateAnswer = 413
    undecodable: StateAnswer = 415
    malformed: StateAnswer = 400
    type_mismatch: StateAnswer = 415
    not_sent: StateAnswer = 403
    upgrade: StateAnswer = 403


class ResponseStates(Section):
    """The same for a response body; absent means `blocking.status`, for it is not the client's fault."""

    over_limit: StateAnswer | None = None
    undecodable: StateAnswer | None = None
    malformed: StateAnswer | None = None
    type_mismatch: StateAnswer | None = None
    not_sent: StateAnswer | None = None
    partial: StateAnswer | None = None
    stream: StateAnswer | None = None


class States(Section):
    """docs/inspection.md says what each state means."""

    request: RequestStates = RequestStates()
    response: ResponseStates = ResponseStates()


class Inspection(Section):
    """How much of a body is looked at."""

    request_body_bytes: MessageBytes = 1 << 20
    response_body_bytes: MessageBytes = 1 << 20
    decoded_bytes: MessageBytes = 10 << 20
    decoded_ratio: Whole = Field(default=200, ge=1, le=100_000)  # the default of Apache's DeflateInflateRatioLimit
    memory_bytes: Whole = Field(default=256 << 20, ge=1 << 20)
    compatibility_bodies: bool = False
    states: States = States()


class Mutations(Section):
    """What a policy may change; `render` builds Envoy's mutation rules from it."""

    request_headers: tuple[HeaderPattern, ...] = ("x-extproc-*",)
    response_headers: tuple[HeaderPattern, ...] = (
        "x-extproc-*",
        "content-type",
        "www-authenticate",
        "retry-after",
        "cache-control",
    )
    path: bool = False


class Headers(Section):
    """The names of our own headers."""

    prefix: str = Field(default="x-extproc-", pattern=r"^x-[a-z0-9-]+-$")


class Envoy(Section):
    """What the gateway must be told about us."""

    message_timeout_ms: Whole = Field(default=2000, ge=1, le=120_000)


class Evidence(Section):
    """Receipts.  `key` and `hmac_key` are made in `directory` on the first start when they are absent."""

    directory: File = Path("receipts")
    key: File | None = None
    hmac_key: File | None = None
    durability: Literal["write", "fsync"] = "write"
    on_failure: Literal["deny", "allow"] = "deny"


class Otlp(Section):
    """Where the spans go; the standard OTEL_EXPORTER_OTLP_* variables are read as well."""

    endpoint: Url = AnyHttpUrl("http://127.0.0.1:4317")


class Telemetry(Section):
    """OpenTelemetry."""

    otlp: Otlp = Otlp()


class Log(Section):
    """The process's own log, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Settings(BaseSettings):
    """The whole configuration.  Everything has a safe default but the policy."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, env_prefix="EXTPROC_", env_nested_delimiter="__")

    listen: Address = "127.0.0.1:9000"
    workers: Whole = Field(default=1, ge=1, le=64)
    admin: Admin = Admin()
    tls: Tls | None = None
    policy: Policy = Policy()
    blocking: Blocking = Blocking()
    inspection: Inspection = Inspection()
    mutations: Mutations = Mutations()
    headers: Headers = Headers()
    envoy: Envoy = Envoy()
    evidence: Evidence = Evidence()
    telemetry: Telemetry = Telemetry()
    log: Log = Log()

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Variables first, then the file (handed over as arguments)."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _agree(self) -> Self:
        """The keys that only make sense together."""
        if self.envoy.message_timeout_ms < self.policy.deadline_ms + MARGIN_MS:
            raise ValueError(
                f"envoy.message_timeout_ms must be at least policy.deadline_ms + {MARGIN_MS}, "
                "so that the server answers before Envoy gives up"
            )
        if self.tls is not None and self.listen.startswith("unix:"):
            raise ValueError("tls is for a port, and listen is a Unix socket, which the file system guards: remove one")
        last = self.workers - 1
        if not self.listen.startswith("unix:") and 0 < (port := int(self.listen.rpartition(":")[2])) > MAX_PORT - last:
            raise ValueError(f"listen has no port for worker {last}: {port} + {last} is over {MAX_PORT}")
        if self.policy.engine == "embedded" and not self.policy.paths:
            raise ValueError("policy.paths is empty: name the files or folders that hold your Rego policies")
        return self
