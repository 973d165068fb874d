"""Whole gateways: what is rendered is clean, and what is wrong with a whole one is named."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from istio.doctor.conftest import DEADLINE_MS, GATEWAY
from istio.doctor.envoys import Document, dump_of, http_filter, manager, policy, rendered
from istio.doctor.gateway_mistakes import RAW, SCOPED
from istio.doctor.mutating import clustering
from server.authority import Authority, Files

from extproc.istio.doctor.examine import examine
from extproc.istio.doctor.finding import Expected, Severity
from extproc.istio.gateway import ClientTls, Gateway, UnixAddress

GRACEFUL = "envoy.reloadable_features.ext_proc_graceful_grpc_close"
RENDERED = {
    "default": GATEWAY,
    "request-only": replace(GATEWAY, response_point=False, path=True),
    "waivers": replace(GATEWAY, waivers=True, prefix="x-gate-", status_on_error=403),
    "unix": replace(GATEWAY, processors=(UnixAddress("/run/extproc/extproc.sock"),), request_body_bytes=1 << 22),
}


def found_in(dump: bytes, gateway: Gateway = GATEWAY) -> list[tuple[str, str]]:
    return [(each.id, each.place) for each in examine(dump, Expected(gateway, DEADLINE_MS))]


@pytest.mark.parametrize("name", RENDERED)
def test_nothing_is_found_in_what_is_rendered(name: str, tmp_path: Path) -> None:
    gateway = RENDERED[name]

    assert found_in(dump_of(rendered(gateway), tmp_path), gateway) == []


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_configuration_that_blocks_nothing_is_noted_in_what_is_rendered_of_it(
    tmp_path: Path, mode: Literal["shadow", "off"]
) -> None:
    gateway = replace(GATEWAY, waivers=True, mode=mode)

    (finding,) = examine(dump_of(rendered(gateway), tmp_path), Expected(gateway, DEADLINE_MS))
    assert (finding.id, finding.severity, finding.place) == ("unenforced", Severity.NOTE, "policy.mode")
    assert finding.saying.startswith(f"is {mode}: ")


def test_nothing_is_found_in_mutual_tls_as_it_is_rendered_and_its_absence_is(clean: bytes, tmp_path: Path) -> None:
    authority = Authority()
    Files(tmp_path / "tls").write(authority.certify("spiffe://example.org/gateway"), authority.root)
    certificate, key, server_ca = (str(tmp_path / "tls" / name) for name in ("tls.crt", "tls.key", "ca.crt"))
    for name in ("extproc.example.org", "spiffe://example.org/extproc"):
        tls = ClientTls(certificate=certificate, key=key, server_ca=server_ca, server_san=name)
        dump = dump_of(rendered(replace(GATEWAY, tls=tls)), tmp_path)
        assert examine(dump, Expected(GATEWAY, DEADLINE_MS, tls=True)) == []

    raw = rendered(GATEWAY)
    (ours,) = (each for each in raw["static_resources"]["clusters"] if each["name"] == "extproc")
    clustering("transport_socket", to=RAW)({"cluster": ours})
    for dump in (clean, dump_of(raw, tmp_path)):
        (finding,) = examine(dump, Expected(GATEWAY, DEADLINE_MS, tls=True))
        assert (finding.id, finding.place.rpartition(".")[2]) == ("tls_missing", "transport_socket")


@pytest.mark.parametrize("guarded", [True, False])
def test_a_gateway_that_asks_nobody_is_named_once(guarded: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    document = rendered(GATEWAY)
    (listener,) = document["static_resources"]["listeners"]
    for name in ("extproc.policy", *(() if guarded else ("extproc.request_guard",))):
        manager(listener)["http_filters"].remove(http_filter(listener, name))

    (finding,) = examine(dump_of(document, tmp_path), Expected(GATEWAY, DEADLINE_MS))
    assert (finding.id, finding.place) == ("not_attached", ".configs[2]")
    assert ("refuses everything" in finding.saying) is guarded


def test_istio_s_own_listeners_for_metrics_and_readiness_are_left_out(tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    resources = document["static_resources"]
    for name, path in (("prometheus_stats", "/stats/prometheus"), ("agent", "/healthz/ready")):
        own = copy.deepcopy(resources["listeners"][0])
        config = manager(own)
        config["http_filters"] = config["http_filters"][-1:]
        config["route_config"]["virtual_hosts"][0]["routes"] = [{"match": {"prefix": path}, "route": {"cluster": name}}]
        resources["listeners"].append({**own, "name": name})
        resources["clusters"].append({**copy.deepcopy(resources["clusters"][1]), "name": name})

    assert found_in(dump_of(document, tmp_path)) == []


LOOKS_LIKE_ISTIOS: dict[str, Document] = {
    "a cluster of the same name": {"routes": [{"match": {"prefix": "/"}, "route": {"cluster": "agent"}}]},
    "Istio's path to another cluster": {
        "routes": [{"match": {"prefix": "/healthz/ready"}, "route": {"cluster": "upstream"}}]
    },
    "a matcher in place of routes": {
        "matcher": {
            "matcher_tree": {
                "input": {
                    "name": "path",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
                        "header_name": ":path",
                    },
                },
                "exact_match_map": {
                    "map": {
                        "/": {
                            "action": {
                                "name": "route",
                                "typed_config": {
                                    "@type": "type.googleapis.com/envoy.config.route.v3.Route",
                                    "match": {"prefix": "/"},
                                    "route": {"cluster": "upstream"},
                                },
                            }
                        }
                    }
                },
            }
        }
    },
}


@pytest.mark.parametrize("name", LOOKS_LIKE_ISTIOS)
def test_whatever_else_forwards_without_asking_is_named(name: str, tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    resources = document["static_resources"]
    other = copy.deepcopy(resources["listeners"][0]) | {"name": "other"}
    config = manager(other)
    config["http_filters"] = config["http_filters"][-1:]
    config["route_config"]["virtual_hosts"] = [{"name": "other", "domains": ["*"], **LOOKS_LIKE_ISTIOS[name]}]
    resources["listeners"].append(other)
    resources["clusters"].append({**copy.deepcopy(resources["clusters"][1]), "name": "agent"})

    assert [each for each, _place in found_in(dump_of(document, tmp_path))] == ["unfiltered"]


def test_what_asks_nobody_and_has_routes_elsewhere_is_named(tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    other = copy.deepcopy(document["static_resources"]["listeners"][0]) | {"name": "other"}
    config = manager(other)
    config["http_filters"] = config["http_filters"][-1:]
    del config["route_config"]
    config["rds"] = SCOPED
    document["static_resources"]["listeners"].append(other)

    assert [each for each, _place in found_in(dump_of(document, tmp_path))] == ["unfiltered"]


@pytest.mark.parametrize("value", [None, False])
def test_a_process_that_resets_every_stream_is_named(value: bool | None, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    document = rendered(GATEWAY)
    layer = document["layered_runtime"]["layers"][0]["static_layer"]
    layer.pop(GRACEFUL) if value is None else layer.update({GRACEFUL: value})

    assert found_in(dump_of(document, tmp_path)) == [("graceful_close", ".configs[0].bootstrap.layered_runtime")]


def test_an_update_that_envoy_refused_is_named_and_the_old_listener_judged(tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    (listener,) = document["static_resources"].pop("listeners")
    listeners = tmp_path / "listeners.json"
    document["dynamic_resources"] = {"lds_config": {"path_config_source": {"path": str(listeners)}}}
    kind = "type.googleapis.com/envoy.config.listener.v3.Listener"

    def publish(resource: Document) -> None:
        written = tmp_path / "written.json"
        written.write_text(json.dumps({"resources": [{"@type": kind, **resource}]}))
        written.rename(listeners)  # Envoy watches for a move

    wrong = copy.deepcopy(listener)
    policy(wrong)["status_on_error"] = {"code": 9}  # a rule that only Envoy checks
    updates = iter([wrong])

    def refused(dump: bytes) -> bool:
        if b'"active_state"' in dump and (update := next(updates, None)):
            publish(update)
        return b"error_state" in dump

    publish(listener)
    dump = dump_of(document, tmp_path, until=refused)

    assert found_in(dump) == [("update_rejected", ".configs[2].dynamic_listeners[0].error_state")]


def test_a_field_that_the_types_do_not_have_is_named_in_any_part_that_is_read(clean: bytes) -> None:
    dump = json.loads(clean)
    listener, cluster = dump["configs"][2]["static_listeners"][0]["listener"], dump["configs"][1]["static_clusters"][0]
    listener["per_connection_bufer_limit"] = 1
    manager(listener)["common_http_protocol_options"]["idle_timout"] = "1s"
    http_filter(listener, "extproc.policy")["typed_config"]["processing_mode"]["request_body_mod"] = "BUFFERED"
    cluster["cluster"]["health_checks"][0]["timout"] = "1s"

    at = ".configs[2].static_listeners[0].listener"
    http = f"{at}.filter_chains[0].filters[0].typed_config"
    assert found_in(json.dumps(dump).encode()) == [
        ("unknown_field", f"{at}.per_connection_bufer_limit"),
        ("unknown_field", f"{http}.common_http_protocol_options.idle_timout"),
        ("unknown_field", f"{http}.http_filters[2].typed_config.processing_mode.request_body_mod"),
        ("unknown_field", ".configs[1].static_clusters[0].cluster.health_checks[0].timout"),
    ]


def wrong_type(document: Document, *, value: object) -> None:
    http_filter(document, "extproc.policy")["typed_config"]["failure_mode_allow"] = value


@pytest.mark.parametrize("value", ["maybe", 3.5, [True], {"a": 1}])
def test_a_filter_that_cannot_be_read_is_named_and_its_chain_counts_as_unfiltered(value: object, clean: bytes) -> None:
    dump = json.loads(clean)
    wrong_type(dump["configs"][2]["static_listeners"][0]["listener"], value=value)

    assert [id_ for id_, _ in found_in(json.dumps(dump).encode())] == ["not_attached", "unreadable"]


@pytest.mark.parametrize("section", ["Bootstrap", "Clusters", "Routes"])
def test_a_section_that_is_not_there_is_named(section: str, clean: bytes) -> None:
    dump = json.loads(clean)
    dump["configs"] = [each for each in dump["configs"] if f"v3.{section}ConfigDump" not in each["@type"]]

    assert "section_missing" in {id_ for id_, _ in found_in(json.dumps(dump).encode())}


def respelt(value: object, respell: Callable[[str], str]) -> object:
    """With every field that holds no map in the other spelling of protojson."""
    if isinstance(value, dict):
        return {respell(key): respelt(member, respell) for key, member in value.items()}
    return [respelt(each, respell) for each in value] if isinstance(value, list) else value


def test_istioctl_s_spelling_is_read_too(clean: bytes) -> None:
    def camel(key: str) -> str:
        first, *others = key.split("_")
        return key if "." in key or key.startswith(("@", "extproc_said")) else first + "".join(map(str.title, others))

    dump = json.loads(clean)
    listener = dump["configs"][2]["static_listeners"][0]["listener"]
    assert found_in(json.dumps(respelt(dump, camel)).encode()) == []

    http_filter(listener, "extproc.policy")["typed_config"]["failure_mode_allow"] = True
    ((id_, place),) = found_in(json.dumps(respelt(dump, camel)).encode())
    assert id_ == "failure_mode_allow"
    assert place.startswith(".configs[2].staticListeners[0].listener.filterChains[0]")
