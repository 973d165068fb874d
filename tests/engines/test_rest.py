import hashlib
import json

import pytest

from extproc.engines.rest import Modules, read_policies

MODULE = {
    "raw": "package a",
    "ast": {
        "package": {"path": [{"type": "var", "value": "data"}, {"type": "string", "value": "a"}]},
        "rules": [
            {"head": {"ref": [{"type": "var", "value": "b"}, {"type": "string", "value": "c"}]}},
            {"head": {"ref": [{"type": "var", "value": "d"}, {"type": "var", "value": "x"}]}},
            {"head": {"ref": [{"type": "var", "value": "f"}], "args": [{"type": "var", "value": "x"}]}},
        ],
    },
}


@pytest.mark.parametrize(
    ("module_id", "bundles", "name"),
    [
        ("x/y.rego", [], "x/y.rego"),
        ("bundle/x/y.rego", ["bundle"], "x/y.rego"),
        ("bundles/x/y.rego", ["bundle"], "bundles/x/y.rego"),
        ("some/bundle.tar.gz/y.rego", ["other", "some/bundle.tar.gz"], "y.rego"),
        ("policies/policies/y.rego", ["./policies"], "y.rego"),
        ("/opt/policies/opt/policies/y.rego", ["/opt/policies/"], "y.rego"),
    ],
)
def test_the_digest_knows_a_module_by_its_path_within_its_bundle(module_id: str, bundles: list[str], name: str) -> None:
    line = f"{name} {hashlib.sha256(b'package a').hexdigest()}\n"
    body = json.dumps({"result": [{"id": module_id, **MODULE}]}).encode()
    rules = frozenset({("a", "b", "c"), ("a", "d")})
    assert read_policies(200, body, bundles) == Modules(hashlib.sha256(line.encode()).hexdigest(), rules)


@pytest.mark.parametrize(
    ("entrypoint", "defined"),
    [
        ("a/b/c", True),
        ("a/b", True),
        ("a", True),
        ("a/b/c/d", True),
        ("a/d/whatever", True),
        ("a/b/x", False),
        ("a/f", False),
        ("b/c", False),
    ],
)
def test_an_entrypoint_is_defined_by_a_rule_at_above_or_below_it(entrypoint: str, *, defined: bool) -> None:
    body = json.dumps({"result": [{"id": "a.rego", **MODULE}]}).encode()
    assert read_policies(200, body, []).define(entrypoint) is defined


def test_a_server_without_policies_defines_nothing() -> None:
    assert read_policies(200, b"{}", []) == Modules(hashlib.sha256().hexdigest(), frozenset())
