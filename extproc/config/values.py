"""The kinds of values that keys hold, each with the sentence that says what is valid."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, Field

_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[^:\s/]+):(\d{1,5})")
_ENTRYPOINT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:/[A-Za-z_][A-Za-z0-9_]*)+")
_URI = re.compile(r"[a-z][a-z0-9+.-]*://[!-)+-~]+")
_DNS = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_PATTERN = re.compile(r"[a-z0-9!#$%&'+.^_`|~-]+\*?")
MAX_PORT = 65535
Builtin: TypeAlias = Literal[
    "http.send",
    "json.match_schema",
    "json.verify_schema",
    "net.lookup_ip_addr",
    "opa.runtime",
    "strings.render_template",
]
"""What libopa withholds: builtins that reach out of the process, or that can end it."""


def _address(text: str) -> str:
    if text.startswith("unix:///"):
        return text
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[1]) > MAX_PORT:
        raise ValueError("must be HOST:PORT or unix:///absolute/path")
    return text


def _tcp(text: str) -> str:
    if text.startswith("unix:"):
        raise ValueError("must be HOST:PORT")
    return _address(text)


def _schemed(value: object) -> object:
    """`localhost:4317` would be read as a URL of the scheme `localhost`."""
    if isinstance(value, str) and _ADDRESS.fullmatch(value):
        raise ValueError(f"must be a URL: write http://{value}")
    return value


def _entrypoint(text: str) -> str:
    if not _ENTRYPOINT.fullmatch(text):
        raise ValueError("must be a policy path such as extproc/request/decision")
    return text


def _pattern(text: str) -> str:
    if not _PATTERN.fullmatch(text):
        raise ValueError("must be a lower-case header name, which may end in *")
    return text


def _san(text: str) -> str:
    if "*" in text:
        raise ValueError("is compared as it stands: write out each name, without *")
    if not (_URI.fullmatch(text) or (_DNS.fullmatch(text) and not _is_literal(text))):
        raise ValueError("must be a URI such as spiffe://cluster.local/ns/a/sa/b, or a DNS name in lower case")
    return text


def _some(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("must not be empty: without a name anybody whom the CA certifies could ask")
    return names


def _is_literal(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _whole(value: object) -> object:
    """YAML's true is not the number 1."""
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic takes a ValueError for a sentence
    return value


def _named(value: object) -> object:
    """An empty path would be the folder of the file; a chart that leaves a variable empty does not mean that."""
    if value == "":
        raise ValueError("must be a path")
    return value


Address: TypeAlias = Annotated[str, AfterValidator(_address)]
TcpAddress: TypeAlias = Annotated[str, AfterValidator(_tcp)]
Url: TypeAlias = Annotated[AnyHttpUrl, BeforeValidator(_schemed)]
Entrypoint: TypeAlias = Annotated[str, AfterValidator(_entrypoint)]
HeaderPattern: TypeAlias = Annotated[str, AfterValidator(_pattern)]
File: TypeAlias = Annotated[Path, BeforeValidator(_named)]
SubjectAltName: TypeAlias = Annotated[str, AfterValidator(_san)]
SubjectAltNames: TypeAlias = Annotated[
    tuple[SubjectAltName, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})
]
Whole: TypeAlias = Annotated[int, BeforeValidator(_whole)]
ClientError: TypeAlias = Annotated[Whole, Field(ge=400, le=499)]
StateAnswer: TypeAlias = ClientError | Literal["evaluate"]
SigningAlgorithm: TypeAlias = Literal[
    "ES256", "ES384", "ES512", "HS256", "HS384", "HS512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"
]
"""What OPA signs bundles with (https://www.openpolicyagent.org/docs/configuration#keys)."""
MessageBytes: TypeAlias = Annotated[Whole, Field(ge=1024, le=256 << 20)]
