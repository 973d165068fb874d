"""Bodies, tokens and cookies never reach a log, a span, a receipt or a metric, whatever happens to the exchange."""

import asyncio
import base64
import json
from pathlib import Path

import pytest
from conformance.exchange import Message
from conformance.wire import send
from faults.stage import Stage, get, post, receipts_of, scripted

CANARY = "canary7f3a"
CONFIG: dict[str, object] = {"log": {"level": "debug"}}
SECRETS = (
    ("authorization", f"Bearer {CANARY}"),
    ("cookie", f"session={CANARY}"),
    ("x-api-key", CANARY),
)
DENY = '{"allowed": false, "reasons": [{"code": "told_to"}]}'


def exchanges() -> dict[str, Message]:
    """One for each way that an exchange can go, with secrets wherever a client can put them."""
    body = json.dumps({"password": CANARY}).encode()
    return {
        "allowed": post(body, *SECRETS),
        "denied": post(body, *SECRETS, *scripted(decide_request=DENY)),
        "engine error": post(body, *SECRETS, *scripted(trouble_request="conflict")),
        "engine timeout": post(body, *SECRETS, *scripted(trouble_request="loop")),
        "no decision": post(body, *SECRETS, *scripted(decide_request=f'"{CANARY}"')),
        "an odd status": post(body, *SECRETS, *scripted(decide_request='{"allowed": false, "http_status": 200}')),
        "a refused mutation": get(
            *SECRETS, *scripted(decide_request='{"allowed": true, "headers": {"authorization": "x"}}')
        ),
        "malformed": post(body[:-1] + CANARY.encode(), *SECRETS),
        "bad UTF-8": post(body + b"\xff", *SECRETS),
        "a wrong type": Message(method="POST", body=body, headers=(*SECRETS, ("content-type", "image/png"))),
        "an unknown coding": post(body, *SECRETS, ("content-encoding", CANARY)),
        "too large": post(b'"' + CANARY.encode() * 10_000 + b'"', *SECRETS),
        "a secret in trailers": Message(
            method="POST", body=body, headers=SECRETS, framing="chunked", trailers=(("x-secret", CANARY),)
        ),
        "a secret in the query": Message(target=f"/a?token={CANARY}", headers=SECRETS),
        "a denied response": get(*SECRETS, *scripted(decide_response=DENY)),
    }


@pytest.fixture(scope="module")
def played(stage: Stage, runner: asyncio.Runner) -> int:
    """How many receipts there are once everything has been sent and every span has arrived."""

    async def play() -> int:
        stage.recorder.answer = Message(
            body=json.dumps({"card": CANARY}).encode(),
            headers=(("content-type", "application/json"), ("set-cookie", f"session={CANARY}")),
        )
        for request in exchanges().values():
            await send(stage.envoy.address, request)
        receipts = await receipts_of(stage.log, len(exchanges()))
        assert stage.server.collector.wait_for(len(receipts), timeout_s=20)
        return len(receipts)

    return runner.run(play())


def test_no_log_record_holds_a_secret(stage: Stage, played: int) -> None:
    text = (stage.server.folder / "extproc.log").read_text()
    assert [line for line in text.splitlines() if CANARY in line] == []
    assert '"debug"' in text, played


def test_no_receipt_holds_a_secret(stage: Stage, played: int) -> None:
    found = 0
    for segment in Path(stage.server.folder / "evidence" / "wal").iterdir():
        assert CANARY.encode() not in segment.read_bytes()
        for line in segment.read_bytes().splitlines():
            found += 1
            assert CANARY.encode() not in base64.b64decode(json.loads(line)["payload"])
    assert found >= played


def test_no_span_holds_a_secret(stage: Stage, played: int) -> None:
    spans = [str(span) for span in stage.server.collector.received()]
    assert len(spans) > 0
    assert len(stage.server.collector.spans()) >= played
    assert [span for span in spans if CANARY in span] == []


def test_no_metric_holds_a_secret(stage: Stage, runner: asyncio.Runner, played: int) -> None:
    assert played
    assert CANARY not in runner.run(stage.server.get("/metrics"))[1]


def test_the_client_sees_no_word_of_the_policys_error(stage: Stage, runner: asyncio.Runner, played: int) -> None:
    assert played
    for name in ("engine error", "no decision", "malformed", "an unknown coding"):
        answer = runner.run(stage.send(exchanges()[name]))
        assert CANARY not in (answer.body or b"").decode(), name
