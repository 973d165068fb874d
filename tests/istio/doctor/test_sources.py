"""Dumps by way of Envoy's admin interface, kubectl and istioctl."""

import asyncio
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from istio.doctor.conftest import DEADLINE_MS, GATEWAY
from istio.doctor.envoys import Document, envoy_admin, policy, rendered

from extproc.errors import DumpError
from extproc.istio.doctor import sources
from extproc.istio.doctor.examine import examine
from extproc.istio.doctor.finding import Expected
from extproc.istio.doctor.process import NOT_ASKED, Process, process_of
from extproc.istio.doctor.sources import Source, from_admin, from_pod

GRACEFUL = "envoy.reloadable_features.ext_proc_graceful_grpc_close"


def asked(document: Document, folder: Path, *options: str) -> Source:
    async def run() -> Source:
        async with envoy_admin(document, folder, *options) as admin:
            return await from_admin(f"http://{admin}/")

    return asyncio.run(run())


def ids(source: Source) -> list[tuple[str, str]]:
    found = examine(source.dump, Expected(GATEWAY, DEADLINE_MS), source.process)
    return [(each.id, each.place) for each in found]


def test_a_running_gateway_as_rendered_is_clean(tmp_path: Path) -> None:
    source = asked(rendered(GATEWAY), tmp_path)

    assert source.process.unknown_fields == 0
    assert source.process.runtime is not None
    assert source.process.runtime[GRACEFUL] == "true"
    assert ids(source) == []


def test_fields_that_envoy_dropped_are_named(tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    policy(document["static_resources"]["listeners"][0])["failure_mode_alow"] = True

    assert ids(asked(document, tmp_path, "--allow-unknown-static-fields")) == [("fields_dropped", "/stats")]


def test_the_runtime_in_force_counts_and_not_the_bootstrap(tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    document["layered_runtime"]["layers"].append({"name": "later", "static_layer": {GRACEFUL: False}})

    assert ids(asked(document, tmp_path)) == [("graceful_close", "/runtime")]


def test_the_bootstrap_s_last_layer_counts_where_nobody_can_be_asked(tmp_path: Path) -> None:
    document = rendered(GATEWAY)
    document["layered_runtime"]["layers"].append({"name": "later", "static_layer": {GRACEFUL: False}})
    source = asked(document, tmp_path)

    assert ids(Source(source.dump)) == [("graceful_close", ".configs[0].bootstrap.layered_runtime")]


@pytest.mark.parametrize("url", ["", "127.0.0.1", "http://127.0.0.1:1", "http://[", "ftp://127.0.0.1/"])
def test_an_admin_interface_that_is_not_there_is_refused(url: str) -> None:
    with pytest.raises(DumpError, match="no admin interface answers"):
        asyncio.run(from_admin(url))


def test_a_page_that_is_no_admin_interface_is_refused(tmp_path: Path) -> None:
    async def run() -> None:
        async with envoy_admin(rendered(GATEWAY), tmp_path) as admin:
            await from_admin(f"http://{admin}/nothing")

    with pytest.raises(DumpError, match="answers /config_dump with 404"):
        asyncio.run(run())


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'{"entries": 1}', b"[" * 100_000, b"\xff"])
def test_answers_that_say_nothing_are_nothing(text: bytes) -> None:
    assert process_of(text, text) == NOT_ASKED


def test_both_counts_of_unknown_fields_count() -> None:
    stats = b"server.dynamic_unknown_fields: 2\nserver.static_unknown_fields: 3\nx.server.static_unknown_fields: 9\n"

    assert process_of(stats, b'{"entries": {"a": {"final_value": "true"}}}') == Process(5, {"a": "true"})


Tool = Callable[[str, str], None]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Put a program of this name and this script on a PATH that has nothing else."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def make(name: str, script: str) -> None:
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}")
        program.chmod(0o755)

    return make


def test_kubectl_is_asked_for_the_dump_the_stats_and_the_runtime(tool: Tool, tmp_path: Path) -> None:
    log = shlex.quote(str(tmp_path / "log"))
    tool("kubectl", f'echo "$@" >> {log}\nfor last; do :; done\necho "{{\\"asked\\": \\"$last\\"}}"\n')
    source = asyncio.run(from_pod("gateway-7d9c-x2", "istio-system"))

    assert source.dump == b'{"asked": "config_dump"}\n'
    agent = "exec gateway-7d9c-x2 --namespace istio-system --container istio-proxy -- pilot-agent request GET"
    paths = ["config_dump", "stats?filter=unknown_fields", "runtime"]
    assert (tmp_path / "log").read_text().splitlines() == [f"{agent} {path}" for path in paths]


def test_istioctl_is_asked_where_there_is_no_kubectl(tool: Tool) -> None:
    tool("istioctl", 'echo "$@"\n')

    assert asyncio.run(from_pod("gateway", "ns")) == Source(b"proxy-config all gateway.ns --output json\n")


def test_neither_is_a_sentence(tool: Tool) -> None:  # noqa: ARG001 - for its PATH
    with pytest.raises(DumpError, match="neither kubectl nor istioctl"):
        asyncio.run(from_pod("gateway", "ns"))


def test_a_tool_that_fails_is_a_sentence_with_its_last_line(tool: Tool) -> None:
    tool("kubectl", "echo first >&2; printf 'pods \"x\\033[2J\" not found\\n' >&2; exit 1\n")

    with pytest.raises(DumpError, match=re.escape(r"kubectl ended with 1: pods \"x\u001b[2J\" not found")):
        asyncio.run(from_pod("x", "ns"))


def test_a_tool_that_does_not_end_is_ended(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool("kubectl", "while :; do echo 0123456789; done >&2\n")
    monkeypatch.setattr(sources, "PATIENCE_S", 0.5)

    with pytest.raises(DumpError, match="kubectl does not end within"):
        asyncio.run(from_pod("x", "ns"))


@pytest.mark.parametrize("name", ["", "-x", "--kubeconfig=/x", "a b", "a/b", "A", "a\n", "a" * 254])
def test_a_name_that_could_be_an_option_is_refused(name: str) -> None:
    for pod, namespace in ((name, "ns"), ("pod", name)):
        with pytest.raises(DumpError, match="is no name of Kubernetes"):
            asyncio.run(from_pod(pod, namespace))
