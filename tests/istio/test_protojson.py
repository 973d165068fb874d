import json

import yaml
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import Any

from extproc.istio.protojson import manifests, to_json, to_yaml

FILTER = HttpFilter(
    name="guard", typed_config=Any.pack(Lua(default_source_code=DataSource(inline_string="one\ntwo: *no\n")))
)
DOCUMENT = {
    "name": "guard",
    "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": "one\ntwo: *no\n"},
    },
}


def test_json_carries_a_packed_message_inline() -> None:
    assert json.loads(to_json(FILTER)) == DOCUMENT


def test_yaml_is_the_same_document_with_lines_as_lines() -> None:
    text = to_yaml(FILTER)

    assert yaml.safe_load(text) == DOCUMENT
    assert "inline_string: |\n" in text


def test_a_policy_stays_readable_in_a_manifest() -> None:
    policy = "package a\n\nallow if {\n\tinput.x\n}\n"

    text = manifests([{"data": {"a.rego": policy}}])
    assert text == "---\ndata:\n  a.rego: |\n    package a\n\n    allow if {\n    \tinput.x\n    }\n"
    assert yaml.safe_load(text) == {"data": {"a.rego": policy}}
