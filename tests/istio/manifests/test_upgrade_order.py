"""docs/how-to/upgrade-and-remove-on-istio.md: a gateway and a server of two configurations, as an upgrade leaves them.

Each change is a pair: what asks less of the gateway, and what asks more.  In the page's order the gateway can do more
than the server asks, forth and back: one state stands for both rows.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from docs.page import Page
from istio.manifests.dumping import dumped
from istio.manifests.rendering import Object, configured, one, rendered
from istio.manifests.test_chart import CHART, helm, merged

from extproc.config import Settings, load_settings
from extproc.istio.doctor.examine import examine, expected_of

PAGE = "how-to/upgrade-and-remove-on-istio.md"
MODES = "allowed_override_modes", "allow_mode_override"


@dataclass(frozen=True, slots=True)
class Change:
    """`key` stands on the page.  The doctor wants gateway and server alike, so it has something to say of both states.

    `able`: of the gateway of `more` and the server of `less`.  `unable`: of the opposite.
    """

    key: str
    less: Object
    more: Object
    able: set[str]
    unable: set[str]


RULES = "mutation_rules: mutation_rules is not what this configuration renders"
WAIVES = "mode_override: allow_mode_override is true, and this configuration waives no body"
BUFFERS = "mode_override: allow_mode_override is false: a waived body is buffered all the same"
UNENFORCED = "unenforced: mode is shadow: everything is decided and recorded, and nothing is blocked"
SHADOW = {"policy": {"mode": "shadow"}}
CHANGES = {
    "responses": Change(
        "points.response",
        {"policy": {"points": {"response": None}}},
        {},
        {
            "response_mode: response_body_mode is BUFFERED, must be NONE",
            "response_mode: response_trailer_mode is SEND, must be SKIP",
        },
        {
            "response_guard_missing: http_filters holds no extproc.response_guard",
            "response_mode: response_body_mode is NONE, must be BUFFERED",
            "response_mode: response_trailer_mode is SKIP, must be SEND",
        },
    ),
    "requests' bodies": Change(
        "larger body limits",
        {},
        {"inspection": {"request_body_bytes": 3 << 20}},
        {"buffer_beyond_server: per_connection_buffer_limit_bytes is 3211264, must be 1114112"},
        {"buffer_limit: per_connection_buffer_limit_bytes is 1114112, must be 3211264"},
    ),
    "responses' bodies": Change(
        "larger body limits",
        {"inspection": {"response_body_bytes": 1 << 20}},
        {"inspection": {"response_body_bytes": 2 << 20}},
        set(),  # within a mebibyte
        {"buffer_limit: per_connection_buffer_limit_bytes is 1114112, must be 2162688"},
    ),
    "deadline": Change(
        "a longer deadline",
        {},
        {"policy": {"deadline_ms": 2000}, "envoy": {"message_timeout_ms": 2500}},
        set(),
        {"message_timeout: message_timeout is 2000 ms, must be at least 2500 ms"},
    ),
    "headers": Change("mutations", {}, {"mutations": {"request_headers": ["x-user"], "path": True}}, {RULES}, {RULES}),
    "a headers point": Change("points.headers", {}, {"policy": {"points": {"headers": "a/b"}}}, {WAIVES}, {BUFFERS}),
    "shadow": Change("mode: shadow", {}, SHADOW, {WAIVES}, {BUFFERS, UNENFORCED}),
}


def configuration(folder: Path, values: Object) -> Path:
    file = configured(folder)
    file.write_text(json.dumps(merged({"policy": {"paths": ["policies"]}}, values)))
    return file


def settings(folder: Path, values: Object) -> Settings:
    return load_settings(configuration(folder, values))


def envoy_filter(folder: Path, values: Object) -> Object:
    return one(rendered(configuration(folder, values), part="gateway"), "EnvoyFilter")


def said(folder: Path, *, gateway: Object, server: Object) -> set[str]:
    """What the doctor says where the gateway has the EnvoyFilter of one configuration and the server has the other."""
    dump = dumped(envoy_filter(folder, gateway))
    return {
        f"{each.id}: {each.place.rpartition('.')[2]} {each.saying}"
        for each in examine(dump, expected_of(settings(folder, server)))
    }


def policy(folder: Path, values: Object) -> Object:
    """The ext_proc filter's configuration."""
    found: Iterable[Object] = (each["patch"]["value"] for each in envoy_filter(folder, values)["spec"]["configPatches"])
    (config,) = (each["typed_config"] for each in found if each.get("name") == "extproc.policy")
    return config


def lets_pass(folder: Path, values: Object, header: str) -> bool:
    """Whether the gateway takes this header of the server's."""
    return re.fullmatch(policy(folder, values)["mutation_rules"]["allow_expression"]["regex"], header) is not None


@pytest.mark.parametrize("change", CHANGES)
def test_the_doctor_says_nothing_where_both_have_one_configuration(tmp_path: Path, change: str) -> None:
    for values in (CHANGES[change].less, CHANGES[change].more):
        assert said(tmp_path, gateway=values, server=values) == ({UNENFORCED} if values == SHADOW else set())


@pytest.mark.parametrize("change", CHANGES)
def test_in_the_order_of_the_page_the_gateway_can_do_more_than_the_server_asks(tmp_path: Path, change: str) -> None:
    """What runs in each order is shown by tests/istio/doctor/test_probe_gateways.py, for responses."""
    pair = CHANGES[change]

    assert said(tmp_path, gateway=pair.more, server=pair.less) == pair.able
    assert said(tmp_path, gateway=pair.less, server=pair.more) == pair.unable


@pytest.mark.parametrize("change", CHANGES)
def test_the_order_of_the_page_loses_no_header_and_no_override(tmp_path: Path, change: str) -> None:
    less, more = (policy(tmp_path, values) for values in (CHANGES[change].less, CHANGES[change].more))
    server = settings(tmp_path, CHANGES[change].less)

    for names in (server.mutations.request_headers, server.mutations.response_headers):
        assert [name for name in names if not lets_pass(tmp_path, CHANGES[change].more, name.replace("*", "z"))] == []
    for field in MODES:
        assert field not in less or less[field] == more[field]


def test_each_change_has_its_order_on_the_page() -> None:
    adds, takes, prefix = Page.read(PAGE).table("| the change | first |").items()

    assert (adds[1][0], takes[1][0], prefix[1][0]) == ("gateway", "server", "gateway")
    assert [change.key for change in CHANGES.values() if change.key not in adds[0].replace("`", "")] == []


def test_another_prefix_is_stripped_at_once_and_the_old_one_no_longer(tmp_path: Path) -> None:
    """The page: the old server's headers come through for as long as `mutations` names them, and so do a client's."""
    gate = {"headers": {"prefix": "x-gate-"}}
    named = ["x-gate-*"]
    patches = envoy_filter(tmp_path, gate)["spec"]["configPatches"]
    (strip,) = (each["patch"]["value"] for each in patches if "strip" in each["patch"]["value"].get("name", ""))
    (removed,) = strip["typed_config"]["mutations"]["request_mutations"]

    assert removed == {"remove_on_match": {"key_matcher": {"prefix": "x-gate-"}}}
    assert lets_pass(tmp_path, gate, "x-extproc-verdict")
    rules = {"mutations": {"request_headers": named, "response_headers": named}}
    assert not lets_pass(tmp_path, gate | rules, "x-extproc-verdict")
    assert lets_pass(tmp_path, gate | rules, "x-gate-verdict")


def test_with_helm_the_server_is_brought_forward_by_two_of_its_objects(tmp_path: Path) -> None:
    """The command of the README, for what takes something away: the pods roll, the EnvoyFilter stays."""
    (command,) = re.findall(r"^helm template .*$", (CHART / "README.md").read_text(), re.MULTILINE)
    shown = [word for each in re.findall(r"-s (\S+)", command) for word in ("--show-only", each)]
    done = helm(tmp_path, {}, "template", "extproc", str(CHART), *shown)

    kinds = re.findall(r"^kind: (\w+)", done.stdout, re.MULTILINE)
    assert sorted(kinds) == ["ConfigMap", "Deployment"]
