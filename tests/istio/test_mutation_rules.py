import re
from dataclasses import replace

import pytest

from extproc.istio.gateway import Gateway
from extproc.istio.mutation_rules import mutation_rules


def allows(gateway: Gateway, name: str) -> bool:
    rules = mutation_rules(gateway)
    assert rules.disallow_all
    assert rules.allow_expression is not None
    return re.fullmatch(rules.allow_expression.regex, name) is not None


@pytest.mark.parametrize(
    "name",
    ["x-extproc-receipt-id", "accept-encoding", "range", "if-range", "content-type", "cache-control", "retry-after"],
)
def test_the_server_may_change_what_it_changes_itself(gateway: Gateway, name: str) -> None:
    assert allows(gateway, name)


@pytest.mark.parametrize("name", [":path", ":authority", ":status", "host", "authorization", "x-extproc", "range-x"])
def test_nothing_else_may_be_changed_by_default(gateway: Gateway, name: str) -> None:
    assert not allows(gateway, name)


@pytest.mark.parametrize(("name", "expected"), [("x-user-id", True), ("www-authenticate", True), ("wwwxauth", False)])
def test_both_directions_lists_are_allowed(gateway: Gateway, *, name: str, expected: bool) -> None:
    configured = replace(gateway, request_headers=("x-user-*",), response_headers=("www-authenticate", "www.auth"))

    assert allows(configured, name) is expected


def test_the_path_may_be_changed_only_where_configured(gateway: Gateway) -> None:
    assert allows(replace(gateway, path=True), ":path")


def test_another_prefix_replaces_ours(gateway: Gateway) -> None:
    configured = replace(gateway, prefix="x-gate-", request_headers=(), response_headers=())

    assert allows(configured, "x-gate-verdict")
    assert not allows(configured, "x-extproc-verdict")
