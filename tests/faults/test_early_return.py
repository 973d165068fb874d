"""The handler's worst fault: it ends the stream early, with OK, as if an ImmediateResponse had been sent.

Envoy then lets the traffic pass uninspected, whatever `failure_mode_allow` says.  The guards must catch it, the table
must turn red, and without guards the oracle must see it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from conformance.exchange import Message, Row, rows
from conformance.fake import fake_stage
from conformance.real import Log, RealStage
from conformance.test_table import observed, wanted
from conformance.wire import Upstream, send, upstream
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest
from faults.stage import ANY_PORT, OK, code, get, post, receipts_of, unreceipted

from extproc.demo import envoy as demo_envoy
from extproc.demo.envoy import running_envoy
from extproc.istio.gateway import address_of
from extproc.server.driver import Driver, Stream
from extproc.server.health import Health
from extproc.server.service import Service

TABLE = {row.name: row for row in rows(Path(__file__).parents[1] / "conformance" / "table")}
GREEN = ("a GET without a body is allowed", "a JSON body is allowed and reaches the upstream unchanged")


class Early(Exception):
    """The message came at which the mutant leaves."""


class Mutant:
    """The service, but when a message of the kind `at` comes it says that the exchange is over."""

    def __init__(self, service: Service, at: str) -> None:
        self._service = service
        self._at = at

    async def serve(self, stream: Stream) -> bool:
        read = stream.read

        async def watched() -> bytes | None:
            message = await read()
            if message is not None and ProcessingRequest.FromString(message).WhichOneof("request") == self._at:
                raise Early
            return message

        stream.read = watched  # type: ignore[method-assign]  # the mutation
        try:
            return await self._service.serve(stream)
        except Early:
            return True


class MutantStage:
    """A real Envoy before the mutant, which runs in this process."""

    def __init__(self, address: str, recorder: Upstream, log: Log) -> None:
        self.address, self.recorder, self.log = address, recorder, log

    async def send(self, request: Message) -> Message:
        return await send(self.address, request)

    async def turns_red(self, row: Row) -> bool:
        """Whether the table's own comparison fails for this row."""
        seen = await RealStage(self.address, self.recorder, self.log).play(row)
        return observed(seen, row.expect) != wanted(row.expect)


@asynccontextmanager
async def mutant_stage(folder: Path, at: str, config: dict[str, object] | None = None) -> AsyncIterator[MutantStage]:
    async with fake_stage(folder, config or {}) as parts, upstream() as recorder:
        recorder.answer = OK
        driver = Driver(handler=Mutant(parts.service, at).serve, receive_limit_bytes=1 << 22, streams=64)
        await Health(driver.server).set(serving=True)
        await driver.listen(f"unix://{folder}/x.sock")
        gateway = replace(parts.gateway, listen=ANY_PORT, admin=ANY_PORT, upstream=address_of(recorder.address))
        async with running_envoy(gateway, folder) as envoy:
            yield MutantStage(envoy.address, recorder, parts.log)
        await driver.stop(0)


def without_guards(config: str) -> str:
    """The same bootstrap, but for both guards."""
    document = json.loads(config)
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    key = "http_filters" if "http_filters" in manager else "httpFilters"
    kept = [one for one in manager[key] if not one["name"].endswith("_guard")]
    assert len(kept) == len(manager[key]) - 2
    manager[key] = kept
    return json.dumps(document)


REQUEST_PHASES = [("request_headers", get()), ("request_body", post(b'{"a": 1}'))]
RESPONSE_PHASES = [("response_headers", get()), ("response_body", get())]


@pytest.mark.parametrize(("at", "request_"), REQUEST_PHASES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_request_guard_stops_what_the_handler_let_go(tmp_path: Path, at: str, request_: Message) -> None:
    async def play() -> tuple[int, str, list[Message]]:
        async with mutant_stage(tmp_path, at) as stage:
            client = await stage.send(request_)
            return client.status, code(client), stage.recorder.seen

    assert asyncio.run(play()) == (403, "RBAC: access denied", [])


@pytest.mark.parametrize(("at", "request_"), RESPONSE_PHASES, ids=lambda value: value if isinstance(value, str) else "")
def test_the_response_guard_stops_what_the_handler_let_go(tmp_path: Path, at: str, request_: Message) -> None:
    async def play() -> tuple[Message, list[Message]]:
        async with mutant_stage(tmp_path, at) as stage:
            client = await stage.send(request_)
            receipts = await receipts_of(stage.log, 1)
            assert len(stage.recorder.seen) == 1
            return client, unreceipted(stage.recorder.seen, receipts)

    client, escaped = asyncio.run(play())
    assert (client.status, client.body, escaped) == (503, b'{"status":503,"title":"response_not_inspected"}', [])


@pytest.mark.parametrize("at", ["request_headers", "request_body", "response_headers", "response_body", "never"])
def test_the_conformance_rows_turn_red(tmp_path: Path, at: str) -> None:
    async def play() -> list[bool]:
        async with mutant_stage(tmp_path, at) as stage:
            return [await stage.turns_red(TABLE[name]) for name in GREEN]

    reds = {"never": [False, False], "request_body": [False, True]}  # a GET has no such message
    assert asyncio.run(play()) == reds.get(at, [True, True])


@pytest.mark.parametrize("at", ["response_headers", "never"])
def test_the_row_of_a_waived_stream_turns_red_though_no_guard_is_left(tmp_path: Path, at: str) -> None:
    """Its bodies pass by name, so nothing in Envoy waits for us any more: only the missing verdict shows the fault."""
    row = TABLE["in shadow mode an upgrade passes uninspected, by name"]

    async def play() -> bool:
        async with mutant_stage(tmp_path, at, row.config) as stage:
            return await stage.turns_red(row)

    assert asyncio.run(play()) == (at != "never")


@pytest.mark.parametrize(("at", "request_"), REQUEST_PHASES, ids=lambda value: value if isinstance(value, str) else "")
def test_without_guards_the_oracle_sees_what_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, request_: Message
) -> None:
    written = demo_envoy.to_json
    monkeypatch.setattr(demo_envoy, "to_json", lambda message: without_guards(written(message)))

    async def play() -> tuple[int, list[Message], list[Message]]:
        async with mutant_stage(tmp_path, at) as stage:
            client = await stage.send(request_)
            seen = list(stage.recorder.seen)
            return client.status, unreceipted(seen, stage.log.news()), seen

    status, escaped, seen = asyncio.run(play())
    assert (status, escaped, len(seen)) == (200, seen, 1)


def test_without_guards_a_response_that_nobody_judged_reaches_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = demo_envoy.to_json
    monkeypatch.setattr(demo_envoy, "to_json", lambda message: without_guards(written(message)))

    async def play() -> tuple[Message, list[Mapping[str, object]]]:
        async with mutant_stage(tmp_path, "response_body") as stage:
            stage.recorder.answer = replace(OK, body=b'{"a": "leak"}')
            client = await stage.send(get())
            return client, [one for one in await receipts_of(stage.log, 2) if one["phase"] == "response"]

    client, judged = asyncio.run(play())
    assert (client.status, client.body, [one["decision"]["verdict"] for one in judged]) == (
        200,
        b'{"a": "leak"}',
        ["error"],
    )  # type: ignore[index]  # a receipt's shape
