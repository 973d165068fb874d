"""The table against an in-memory Envoy and against a real one: a difference between the two fails the build."""

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from conformance.exchange import Message, Row, Seen, rows
from conformance.fake import fake_stage
from conformance.real import RealStage, real_stage

ROWS = rows(Path(__file__).parent / "table")
STAGES = {"fake": fake_stage, "real": real_stage}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Rows with one configuration share a stage; pytest orders them so."""
    cases = [
        (f"{kind}|{json.dumps(row.config, sort_keys=True)}", row)
        for kind in STAGES
        for row in ROWS
        if row.only in ("", kind)
    ]
    ids = [f"{stage.split('|')[0]}: {row.name}" for stage, row in cases]
    metafunc.parametrize(("stage", "row"), cases, ids=ids, indirect=["stage"], scope="module")


@pytest.fixture(scope="module")
def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.Runner, RealStage]]:
    kind, _, config = request.param.partition("|")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        start = STAGES[kind]
        running = runner.run(stack.enter_async_context(start(tmp_path_factory.mktemp(kind), json.loads(config))))
        yield runner, running
        runner.run(stack.aclose())


def test_row(stage: tuple[asyncio.Runner, RealStage], row: Row) -> None:
    runner, running = stage
    seen = runner.run(running.play(row))
    assert observed(seen, row.expect) == wanted(row.expect)
    assert not unreceipted(seen)


def unreceipted(seen: Seen) -> list[str]:
    """The oracle of the fault suite: what reached the upstream without the id of a receipt that let it pass."""
    if seen.upstream is None:
        return []
    passed = {
        receipt["receipt_id"]
        for receipt in seen.receipts
        if receipt["phase"] == "request"
        and (receipt["decision"]["verdict"] == "allow" or receipt["decision"]["enforcement"] != "enforced")
    }
    carried = dict(seen.upstream.headers) | dict(seen.upstream.trailers)
    return [id_ for id_ in [carried.get("x-extproc-receipt-id", "no id at all")] if id_ not in passed]


def wanted(expect: dict) -> dict:
    return {"client": expect["client"], "upstream": expect["upstream"], "receipts": expect["receipts"]}


def observed(seen: Seen, expect: dict) -> dict:
    """What was seen, in the words and to the extent of what the row expects."""
    receipts = list(seen.receipts)
    for also in expect.get("perhaps", []):
        if len(receipts) > len(expect["receipts"]) and receipt_view(receipts[-1], also) == also:
            receipts.pop()
    expected = expect["receipts"] + [{}] * (len(receipts) - len(expect["receipts"]))
    return {
        "client": message_view(seen.client, expect["client"]),
        "upstream": None
        if seen.upstream is None
        else message_view(seen.upstream, expect["upstream"] or {"target": ""}),
        "receipts": [receipt_view(receipt, wish) for receipt, wish in zip(receipts, expected, strict=False)],
    }


def message_view(message: Message, wish: dict) -> dict:
    headers = dict(message.headers)
    problem = _json(message.body)
    views = {
        "status": message.status,
        "method": message.method,
        "target": message.target,
        "detail": problem.get("detail"),
        "code": problem.get("code"),
        "text": (message.body or b"").decode(errors="replace"),
        "base64": base64.b64encode(message.body or b"").decode(),
        "headers": {name: headers.get(name) for name in wish.get("headers", {})},
        "absent": [name for name in wish.get("absent", []) if name not in headers],
        "trailers": {name: dict(message.trailers).get(name) for name in wish.get("trailers", {})},
        "body": _json(message.body)
        if isinstance(wish.get("body"), dict)
        else (message.body or b"").decode(errors="replace"),
    }
    return {key: views[key] for key in wish}


def receipt_view(receipt: dict, wish: dict) -> dict:
    decision, request, response = receipt["decision"], receipt["request"], receipt.get("response", {})
    views = {
        "phase": receipt["phase"],
        "verdict": decision["verdict"],
        "enforcement": decision["enforcement"],
        "status": decision.get("status"),
        "reasons": decision.get("reasons", []),
        "mutations": [f"{m['op']} {m['name']}" for m in decision.get("mutations", [])],
        "method": request.get("method"),
        "inspection": request.get("inspection"),
        "body_bytes": request.get("body_bytes"),
        "response_status": response.get("status"),
        "response_inspection": response.get("inspection"),
    }
    return {key: views[key] for key in wish or {"phase": "", "verdict": "", "reasons": ""}}


def _json(body: bytes | None) -> dict:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
