"""The policies of the documentation: they serve as printed, and nobody walks around them by another spelling."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from conformance.exchange import Message, Row
from conformance.fake import fake_stage
from docs.page import DOCS

from extproc.config import load_settings
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import load
from extproc.server.translation import rules_of

ROOT = DOCS.parent
OPA = ROOT / ".tools" / "bin" / "opa"
JSON, FORM, TEXT = "application/json", "application/x-www-form-urlencoded", "text/plain"


def blocks(page: str, kind: str) -> list[str]:
    """The code of this kind on a page, block by block."""
    return re.findall(rf"^```{kind}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def heredocs(page: str = "write-a-policy.md") -> dict[str, str]:
    """The files that the how-to writes."""
    (script,) = blocks(f"docs/how-to/{page}", "sh")
    return dict(re.findall(r"cat > (\S+) <<'R'\n(.*?)^R$", script, re.DOTALL | re.MULTILINE))


def statuses(folder: Path, policy: str, requests: Iterable[Message]) -> list[int]:
    """What clients get where this policy decides on requests, and responses are not inspected."""
    rego = folder / "policies" / "decision.rego"
    rego.parent.mkdir()
    rego.write_text(policy)
    config = {"policy": {"paths": [str(rego.parent)], "points": {"response": None}}}

    async def run() -> list[int]:
        async with fake_stage(folder, config) as stage:
            answer = Message(body=b"{}", headers=(("content-type", JSON),))
            return [(await stage.play(Row("", request, answer, {}))).client.status for request in requests]

    return asyncio.run(run())


def sent(body: object, media_type: str = JSON, target: str = "/orders") -> Message:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Message(method="POST", target=target, headers=(("content-type", media_type),), body=content)


def test_the_readme_s_policy_lets_its_list_pass_and_nothing_else(tmp_path: Path) -> None:
    (policy,) = blocks("README.md", "rego")
    passing = [Message(), sent({"role": "customer"}), sent({"role": "guest"})]
    denied = [
        sent({"role": "admin"}),
        sent("role=admin", FORM),
        sent("role=customer&role=admin", FORM),
        sent({"role": "customer"}, TEXT),
        sent({"role": "admin"}, TEXT),
        sent("role=admin", TEXT),
        sent("role=admin", "application/octet-stream"),
        sent({"role": ["customer"]}),
        sent([{"role": "customer"}]),
        sent({}),
    ]
    assert statuses(tmp_path, policy, passing + denied) == [200] * len(passing) + [403] * len(denied)


@pytest.mark.parametrize("page", ["how-to/write-a-policy.md", "policies.md"])
def test_a_policy_from_nothing_lets_orders_pass_and_nothing_else(tmp_path: Path, page: str) -> None:
    written = heredocs()["my-policies/extproc/request/decision.rego"]
    policy = written if page.startswith("how-to") else blocks(f"docs/{page}", "rego")[2]
    order = {"amount": 9}
    passing = [sent(order), sent({"amount": 10000}), sent(order, target="/orders?dry=1")]
    denied = [
        Message(target="/orders"),
        *(sent({"amount": amount}) for amount in (10001, None, True, False, "9", [9], {})),
        *(sent(order, media_type) for media_type in (TEXT, "application/problem+json")),
        sent("amount=9", FORM),
        *(sent(order, target=f"/{path}") for path in ("ORDERS", "orders;a=1", "orders%20", "orders/", "other", "")),
    ]
    assert statuses(tmp_path, policy, passing + denied) == [200] * len(passing) + [403] * len(denied)


def opa_test(*folders: Path) -> str:
    command = [str(OPA), "test", *map(str, folders)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


@pytest.mark.parametrize("page", ["write-a-policy.md", "guard-mcp-tools.md"])
def test_a_how_to_s_own_tests_pass(tmp_path: Path, page: str) -> None:
    for name, text in heredocs(page).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert opa_test(tmp_path / "my-policies") == "PASS: 3/3\n"


@pytest.mark.parametrize("page", ["write-a-policy.md", "guard-mcp-tools.md"])
def test_a_how_to_s_policy_starts_with_the_configuration_that_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    for name, text in heredocs(page).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (script,) = blocks(f"docs/how-to/{page}", "sh")
    (line,) = re.findall(r"^echo .* > extproc.yaml.*$", script, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    subprocess.run(["/bin/sh", "-c", line], check=True)
    settings = load_settings(tmp_path / "extproc.yaml")

    async def start() -> None:
        policies, entrypoints = load(settings.policy.paths, settings.policy.data), rules_of(settings).entrypoints
        await EmbeddedEngine(policies=policies, entrypoints=entrypoints).close()

    asyncio.run(start())


def test_a_rule_beside_the_library_passes_its_own_tests_and_the_library_s(tmp_path: Path) -> None:
    rule, test, *_ = blocks("docs/policies.md", "rego")
    (tmp_path / "order_limit.rego").write_text(rule)
    (tmp_path / "order_limit_test.rego").write_text(test)
    said = opa_test(ROOT / "policies", tmp_path)
    assert re.fullmatch(r"PASS: (\d+)/\1\n", said), said


def test_the_guard_of_mcp_tools_lets_its_list_pass_and_nothing_else(tmp_path: Path) -> None:
    policy = heredocs("guard-mcp-tools.md")["my-policies/extproc/request/decision.rego"]

    def call(tool: str, **members: object) -> dict[str, object]:
        params = {"name": tool, "arguments": {"text": "tea"}}
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params, **members}

    ping, search = {"jsonrpc": "2.0", "id": 2, "method": "ping"}, call("search")
    passing = [sent(body, target="/mcp") for body in (ping, search, [ping, search])]
    bodies: list[object] = [
        call("delete"),
        [search, call("delete", id=3)],
        [search, search],
        search | {"METHOD": "ping"},
    ]
    bodies += [
        call("search", params={"name": "search"}),
        call("search", params=[]),
        search | {"jsonrpc": "1.0"},
        [ping, {}],
        {},
        [],
    ]
    bodies += [{**ping, "method": "tools/list2"}, json.dumps(search).replace("jsonrpc", "JSONRPC")]
    denied = [Message(target="/mcp"), sent(ping, target="/other"), sent(ping, "application/x", target="/mcp")]
    denied += [sent(body, target="/mcp") for body in bodies]
    seen = statuses(tmp_path, policy, passing + denied)
    assert seen == [200] * len(passing) + [403, 403, 415] + [403] * len(bodies)
