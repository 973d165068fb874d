from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac

from extproc.istio.guards import request_guard, response_guard, strip_client_headers


def test_only_an_exact_allow_of_our_namespace_reaches_the_router() -> None:
    packed = request_guard().typed_config
    assert packed is not None
    config = packed.unpack()
    assert isinstance(config, Rbac)
    assert config.rules is not None

    matcher = {
        "filter": "extproc",
        "path": [{"key": "request"}],
        "value": {"stringMatch": {"exact": "allow"}},
    }
    assert config.rules.to_dict() == {
        "policies": {
            "extproc_said_allow": {
                "permissions": [{"sourcedMetadata": {"metadataMatcher": matcher}}],
                "principals": [{"any": True}],
            }
        }
    }


def test_the_response_guard_replaces_status_and_body_before_anything_that_could_fail() -> None:
    packed = response_guard().typed_config
    assert packed is not None
    config = packed.unpack()
    assert isinstance(config, Lua)
    assert config.default_source_code is not None
    script = config.default_source_code.inline_string or ""

    steps = [':get("extproc")', 'replace(":status", "503")', "setBytes(", "clear(handle:headers())", "clear(trailers)"]
    positions = [script.find(step) for step in steps]
    assert -1 not in positions
    assert positions == sorted(positions)


def test_client_headers_with_our_prefix_are_removed() -> None:
    packed = strip_client_headers("x-gate-").typed_config
    assert packed is not None
    config = packed.unpack()
    assert isinstance(config, HeaderMutation)
    assert config.mutations is not None

    assert config.mutations.to_dict() == {
        "requestMutations": [{"removeOnMatch": {"keyMatcher": {"prefix": "x-gate-"}}}]
    }
