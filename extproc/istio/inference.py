"""What an EnvoyFilter says of the configuration and the gateway that it was rendered for."""

import re
from collections.abc import Iterator
from typing import TypeAlias

from envoy_data_plane.envoy.type.v3 import StatusCode
from pydantic import ValidationError

from extproc.config import Settings
from extproc.errors import ConfigurationError
from extproc.istio.attachment import NAME, NAME_PATTERN, PORT
from extproc.istio.gateway import BUFFER_MARGIN_BYTES
from extproc.istio.mutation_rules import OWN_REQUEST_HEADERS, OWN_RESPONSE_HEADERS
from extproc.istio.processor import CLUSTER_NAME, FILTER_NAME

Values: TypeAlias = dict[str, dict[str, object]]
"""The value of each patch, as extproc.istio.strict.canonical writes it, by what the patch is for."""

_GUARD = "HTTP_FILTER extproc.response_guard"
_STRIP = ("HTTP_FILTER extproc.strip_client_headers", "typed_config", "mutations", "request_mutations", 0)
_PROCESSOR = (f"HTTP_FILTER {FILTER_NAME}", "typed_config")
_CLUSTER = re.compile(rf"outbound\|{PORT}\|\|{NAME}\.({NAME_PATTERN.pattern})\.svc\.cluster\.local")


def settings_of(values: Values) -> Settings:
    """Settings for which these patches could be rendered; what is not there has the server's default.

    Raises ConfigurationError where a value is none that the server's configuration can hold.
    """
    responses = _GUARD in values or _at(values, *_PROCESSOR, "processing_mode", "response_body_mode") == "BUFFERED"
    document = {
        **dict(_workers(values)),
        "policy": {
            "paths": ["policies"],  # some: the gateway does not have them
            "deadline_ms": 1,
            "mode": "shadow" if _at(values, *_PROCESSOR, "allow_mode_override") else "enforce",
            "points": {} if responses else {"response": None},
        },
        "blocking": dict(_status(values)),
        "inspection": dict(_limits(values)),
        "envoy": dict(_timeout(values)),
        "headers": dict(_prefix(values)),
        "mutations": dict(_mutations(values)),
    }
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"EnvoyFilter: no configuration renders this: {place}: {first['msg']}") from None


def namespace_of(values: Values) -> str:
    """Where the server is, by the cluster that is asked; where that is none of Istio's names for it, the default."""
    named = _CLUSTER.fullmatch(str(_at(values, *_PROCESSOR, "grpc_service", "envoy_grpc", "cluster_name")))
    return named[1] if named else NAME


def _workers(values: Values) -> Iterator[tuple[str, object]]:
    """Of the in-pod profile: worker i listens on `<socket>.i`, a single one on the socket itself."""
    endpoints = _at(values, f"CLUSTER {CLUSTER_NAME}", "load_assignment", "endpoints", 0, "lb_endpoints")
    count = len(endpoints) if isinstance(endpoints, list) else 0
    first = _at(endpoints, 0, "endpoint", "address", "pipe", "path")
    if isinstance(first, str):
        yield "listen", f"unix://{first if count == 1 else first.removesuffix('.0')}"
        yield "workers", count


def _limits(values: Values) -> Iterator[tuple[str, int]]:
    buffer = _at(values, "LISTENER", "per_connection_buffer_limit_bytes")
    if isinstance(buffer, int):
        for name in ("request_body_bytes", "response_body_bytes"):
            yield name, buffer - BUFFER_MARGIN_BYTES


def _timeout(values: Values) -> Iterator[tuple[str, int]]:
    timeout = _at(values, *_PROCESSOR, "message_timeout")
    if isinstance(timeout, str):
        yield "message_timeout_ms", round(float(timeout.removesuffix("s")) * 1_000)


def _status(values: Values) -> Iterator[tuple[str, int]]:
    code = _at(values, *_PROCESSOR, "status_on_error", "code")
    if isinstance(code, str):
        yield "failure_status", StatusCode.from_string(code).value
    elif isinstance(code, int):  # one that Envoy does not know
        yield "failure_status", code


def _prefix(values: Values) -> Iterator[tuple[str, str]]:
    prefix = _at(values, *_STRIP, "remove_on_match", "key_matcher", "prefix")
    if isinstance(prefix, str):
        yield "prefix", prefix


def _mutations(values: Values) -> Iterator[tuple[str, object]]:
    expression = _at(values, *_PROCESSOR, "mutation_rules", "allow_expression", "regex")
    if isinstance(expression, str):
        names = [_pattern(each) for each in re.split(r"(?<!\\)\|", expression)]
        own = {*OWN_REQUEST_HEADERS, *OWN_RESPONSE_HEADERS, ":path"}
        yield "request_headers", [name for name in names if name not in own]
        yield "response_headers", []
        yield "path", ":path" in names


def _pattern(expression: str) -> str:
    """The name that extproc.istio.mutation_rules makes such an expression of."""
    whole, star = (expression[:-2], "*") if expression.endswith(".*") else (expression, "")
    return re.sub(r"\\(.)", r"\1", whole) + star


def _at(node: object, *path: str | int) -> object:
    """What lies there; None where nothing does."""
    for step in path:
        if isinstance(node, dict):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node
