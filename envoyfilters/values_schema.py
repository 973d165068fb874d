"""values.schema.json: the server's own schema for what the server reads, and the chart's own values."""

import copy
import json

from extproc.config import Settings
from extproc.istio.attachment import NAME_PATTERN, TRUST_DOMAIN_PATTERN
from extproc.istio.manifests.pod import QUANTITY_PATTERN

Schema = dict[str, object]

ELSEWHERE = ("listen", "workers", "admin", "blocking")
"""Keys that the chart writes itself, or that are values of their own."""

MOST_WHOLE = 2**53 - 1
"""RFC 8259 section 6: helm holds every number of its values as binary64, and a larger one loses digits in silence."""

_NAME = {"type": "string", "pattern": f"^{NAME_PATTERN.pattern}$"}
_FILE = {"pattern": "^[A-Za-z0-9][-._A-Za-z0-9]*(/[A-Za-z0-9][-._A-Za-z0-9]*)*$"}
_ROUTE = {"type": "string", "pattern": "^[^/]+(/.+)?$"}
_LABEL = {"type": "string", "pattern": "^([a-z0-9][-.a-z0-9]*/)?[A-Za-z0-9][-_.A-Za-z0-9]*=[-_.A-Za-z0-9]*$"}


def values_schema() -> str:
    """JSON Schema draft 2020-12; helm refuses values that it does not allow."""
    server = json.loads(json.dumps(Settings.model_json_schema()))
    definitions = server["$defs"]
    _bounds(definitions)
    configuration = {name: each for name, each in server["properties"].items() if name not in ELSEWHERE}
    configuration["tls"] = {"$ref": "#/$defs/Tls"}
    _without_paths(definitions)
    definitions["Policy"]["properties"]["data"]["additionalProperties"] = {"$ref": "#/$defs/Document"}
    # helm takes a null for "as the chart has it", so what only a null can say is `inspectResponses: false`.
    definitions["Points"]["properties"]["response"] = {"type": "string"}
    # Envoy's enumeration of statuses is closed; these have a name in the template.
    definitions["Blocking"]["properties"]["failure_status"] = {"enum": [403, 429, 503], "default": 503}
    definitions["Blocking"]["required"] = ["status", "message"]  # values that the chart has
    _without_defaults(definitions)
    definitions["Document"] = _document()
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": definitions,
        **_object(
            blocking={"$ref": "#/$defs/Blocking"},
            inspectResponses={"type": "boolean"},
            policies={"type": "object", "propertyNames": _FILE, "additionalProperties": {"type": "string"}},
            configuration={"type": "object", "properties": configuration, "additionalProperties": False},
            image={"type": "string"},
            replicas={"type": "integer", "minimum": 2},
            revision=_text(f"({NAME_PATTERN.pattern})?"),
            receipts=_object(size=_text(QUANTITY_PATTERN.pattern), storageClass={"type": "string"}),
            gateway=_gateway(),
            trustDomain=_text(TRUST_DOMAIN_PATTERN.pattern),
        ),
    }
    schema["properties"] |= {"global": {"type": "object"}}  # helm's own, which need not be there
    return json.dumps(schema, indent=2) + "\n"


def _document() -> Schema:
    """Any JSON, with numbers that helm does not change."""
    again = {"$ref": "#/$defs/Document"}
    return {"minimum": -MOST_WHOLE, "maximum": MOST_WHOLE, "additionalProperties": again, "items": again}


def _without_paths(definitions: dict[str, dict[str, dict[str, object]]]) -> None:
    """Of a pod: the chart writes them.

    Those of `tls` stay, and nothing of it is required: a template refuses what is too much or missing, and says what to
    write instead, or where the files come from.
    """
    for section, names in (("Policy", ("paths", "bundle_keys")), ("Evidence", ("directory", "key", "hmac_key"))):
        for name in names:
            del definitions[section]["properties"][name]
    del definitions["Tls"]["required"]
    definitions["Tls"]["properties"]["client_san"] = {"type": "array", "items": {"type": "string"}}


def _gateway() -> Schema:
    named = {"if": {"properties": {"kind": {"const": "gateway-api"}}}, "then": {"properties": {"name": _NAME}}}
    return named | _object(
        enabled={"type": "boolean"},
        kind={"enum": ["classic", "gateway-api"]},
        namespace=copy.copy(_NAME),
        serviceAccount=copy.copy(_NAME),
        selector={"type": "array", "minItems": 1, "items": _LABEL},
        name={"type": "string"},
        excludedRoutes={"type": "array", "items": _ROUTE},
    )


def _object(**properties: object) -> Schema:
    """Nothing unknown, and nothing blank: helm drops a key without a value, and its default with it."""
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": f"^{pattern}$"}


def _bounds(node: object) -> None:
    """Pydantic leaves some bounds under its own names, which JSON Schema does not know."""
    if isinstance(node, list):
        for each in node:
            _bounds(each)
    elif isinstance(node, dict):
        for own, standard in (("ge", "minimum"), ("le", "maximum")):
            if isinstance(node.get(own), int):
                node[standard] = node.pop(own)
        for each in node.values():
            _bounds(each)


def _without_defaults(definitions: dict[str, Schema]) -> None:
    """Of a section: what its parts have is enough, and would name keys that are not there."""
    for definition in definitions.values():
        properties = definition["properties"]
        assert isinstance(properties, dict)  # noqa: S101 - every section has some
        for each in properties.values():
            if "$ref" in each:
                each.pop("default", None)
