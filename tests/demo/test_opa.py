import asyncio
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from release.pins import OPA_VERSION

from extproc.core.engine import PolicyIdentity, Question
from extproc.core.point import Point
from extproc.demo.opa import opa_binary, running_opa
from extproc.engines.opa import OpaEngine
from extproc.engines.sources import load
from extproc.errors import StartupError

ENTRYPOINTS = {Point.REQUEST: "extproc/request/decision"}
REQUEST = "package extproc.request\n\nimport data.shared\n\ndecision := [shared.answer, data.deep.er.limit]\n"


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """Two modules and a data document at different depths, a manifest, and what no server should load."""
    folder = tmp_path / "policies"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / ".manifest").write_text('{"revision": "r1"}')
    (folder / "request.rego").write_text(REQUEST)
    (folder / "deep" / "shared.rego").write_text("package shared\n\nanswer := 42\n")
    (folder / "deep" / "shared_test.rego").write_text("package shared_test\n\ntest_answer if false\n")
    (folder / "deep" / "er" / "data.json").write_text('{"limit": 7}')
    (folder / "schema.json").write_text('{"deep": "no data document"}')
    return folder


async def engine_on(stack: AsyncExitStack, policies: Path, changes: "asyncio.Queue[PolicyIdentity]") -> OpaEngine:
    """An engine on an OPA that runs as long as the stack."""
    url = await stack.enter_async_context(running_opa(policies, policies.parent))
    engine = await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=changes.put_nowait, refresh_s=0.02)
    stack.push_async_callback(engine.close)
    return engine


def test_a_folder_is_loaded_as_the_embedded_engine_loads_it_and_watched(policies: Path) -> None:
    async def scenario() -> None:
        changes: asyncio.Queue[PolicyIdentity] = asyncio.Queue()
        async with AsyncExitStack() as stack:
            engine = await engine_on(stack, policies, changes)
            old = load([policies], {})
            evaluation = await engine.decide(Question(Point.REQUEST, b"{}"), 5)
            assert (evaluation.result, evaluation.policy) == (
                b"[42,7]",
                PolicyIdentity("opa", OPA_VERSION, "r1", old.policy_digest, ""),
            )
            (policies / "deep" / "shared.rego").write_text("package shared\n\nanswer := 43\n")
            new = load([policies], {})
            while (await changes.get()).policy_digest != new.policy_digest:
                pass
            evaluation = await engine.decide(Question(Point.REQUEST, b"{}"), 5)
            assert (evaluation.result, evaluation.policy.policy_digest) == (b"[43,7]", new.policy_digest)

    asyncio.run(scenario())


def test_a_bundle_has_the_digest_that_the_embedded_engine_gives_it(policies: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.tar.gz"
    command = [str(opa_binary()), "build", "--ignore=*_test.rego", f"--output={bundle}", "--bundle", policies.name]
    subprocess.run(command, cwd=tmp_path, check=True)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            engine = await engine_on(stack, bundle, asyncio.Queue())
            expected = load([bundle], {})
            assert engine.identity() == PolicyIdentity("opa", OPA_VERSION, "r1", expected.policy_digest, "")

    asyncio.run(scenario())


def test_a_policy_that_does_not_compile_stops_the_start_and_is_named(policies: Path, tmp_path: Path) -> None:
    (policies / "request.rego").write_text("package extproc.request\n\ndecision := {\n")

    async def scenario() -> None:
        async with running_opa(policies, tmp_path):
            pass

    with pytest.raises(StartupError, match=r"(?s)^opa ended with 1:.*request\.rego:4: rego_parse_error"):
        asyncio.run(scenario())


def test_a_missing_opa_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartupError, match=r"^there is no `opa` on PATH: get it from https://"):
        opa_binary(tmp_path)
