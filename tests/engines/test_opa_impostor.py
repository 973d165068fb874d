import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from extproc.core.engine import Evaluation, PolicyEngine, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines.opa import OpaEngine
from extproc.engines.opa_client import ANSWER_BYTES, IN_FLIGHT
from extproc.errors import EngineError, EngineTimeout, ExchangeError, Overloaded, PolicyLoadError

ENTRYPOINTS = {Point.REQUEST: "extproc/request/decision"}
QUESTION = Question(Point.REQUEST, b"{}")


async def decide(engine: PolicyEngine, deadline_s: float = 5.0) -> Evaluation:
    return await asyncio.wrap_future(engine.decide(QUESTION, deadline_s))


@asynccontextmanager
async def connected(url: str, on_change: Callable[[PolicyIdentity], None] = print) -> AsyncIterator[OpaEngine]:
    engine = await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=on_change, refresh_s=0.02)
    try:
        yield engine
    finally:
        await engine.close()


Conduct = Callable[[asyncio.StreamWriter], Awaitable[None]]
PROVENANCE = {"version": "1.22.2"}
VERSION = {"provenance": PROVENANCE, "result": {"version": "1.22.2"}}
REVISED = {"provenance": PROVENANCE | {"bundles": {"b": {"revision": "r1"}}}, "result": {"version": "1.22.2"}}
DEFINED = {
    "id": "request.rego",
    "raw": "package extproc.request",
    "ast": {
        "package": {
            "path": [
                {"type": "var", "value": "data"},
                *({"type": "string", "value": s} for s in ("extproc", "request")),
            ]
        },
        "rules": [{"head": {"ref": [{"type": "var", "value": "decision"}]}}],
    },
}


def http(body: bytes, status: int = 200, headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n{headers}\r\n".encode() + body


@dataclass
class Impostor:
    """Answers a survey as OPA does, and every query by `conduct`."""

    conduct: Conduct
    version: bytes = http(json.dumps(VERSION).encode())
    policies: bytes = http(json.dumps({"result": [DEFINED]}).encode())
    queries: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    surveys: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[str]:
        """Its URL; at the end the port and every connection are closed."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", port)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in self.writers), return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                await self._answer((await reader.readuntil(b"\r\n\r\n")).lower(), reader, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if head.startswith(b"post"):
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            self.queries.put_nowait(None)
            await self.conduct(writer)
        elif b"/system/version" in head:
            self.surveys.put_nowait(None)
            writer.write(self.version)
        else:
            writer.write(self.policies)


def says(answer: bytes) -> Conduct:
    async def conduct(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return conduct


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def silent(writer: asyncio.StreamWriter) -> None:
    await writer.wait_closed()


async def drips(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")
    await writer.wait_closed()


async def floods(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(100):
        writer.write(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await writer.drain()


async def cuts(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"result": true}')
    writer.close()


NO_DOCUMENT = EngineError("the server's answer is not a data document of OPA's")
TOO_LARGE = EngineError(f"the OPA server's answer has more than {ANSWER_BYTES} bytes")
TIMEOUT = EngineTimeout("the OPA server did not answer before the deadline")
CONFLICT = b'{"code": "internal_error", "message": "m", "errors": [{"code": "eval_conflict_error", "message": "m"}]}'


def broken(kind: str) -> EngineError:
    return EngineError(f"the OPA server's answer broke off or is not HTTP: {kind}")


@pytest.mark.parametrize(
    ("conduct", "expected"),
    [
        pytest.param(says(http(b"{}")), None, id="no result"),
        pytest.param(says(http(b'{"result": null}')), b"null", id="null result"),
        pytest.param(says(http(b'{"result": "true"}')), b'"true"', id="text result"),
        pytest.param(says(http(b'{"result": [1.10, 1e400, {"a": -0}]}')), b'[1.10,1e400,{"a":-0}]', id="numbers"),
        pytest.param(says(http(b"null")), NO_DOCUMENT, id="null"),
        pytest.param(says(http(b"true")), NO_DOCUMENT, id="true"),
        pytest.param(says(http(b'"true"')), NO_DOCUMENT, id="text"),
        pytest.param(says(http(b"")), NO_DOCUMENT, id="nothing"),
        pytest.param(says(http(b'{"result": true')), NO_DOCUMENT, id="half"),
        pytest.param(says(http(b'{"result": NaN}')), NO_DOCUMENT, id="NaN"),
        pytest.param(says(http(b'{"result": "\xff"}')), NO_DOCUMENT, id="bad UTF-8"),
        pytest.param(says(http(b'{"result": "\\ud800"}')), NO_DOCUMENT, id="lone surrogate"),
        pytest.param(says(http(b'{"result": ' + b"[" * 100_000)), NO_DOCUMENT, id="nested"),
        pytest.param(says(http(b'{"result": ' + b"[" * 300 + b"]" * 300 + b"}")), NO_DOCUMENT, id="nested deeply"),
        pytest.param(says(http(b'{"result": true, "decision_id": 7}')), NO_DOCUMENT, id="odd decision_id"),
        pytest.param(says(http(b'{"result": true, "provenance": []}')), NO_DOCUMENT, id="odd provenance"),
        pytest.param(says(http(b"<html>true</html>")), NO_DOCUMENT, id="HTML"),
        pytest.param(
            says(http(b'{"result": true}', 404)), EngineError("the server answered with status 404"), id="404"
        ),
        pytest.param(
            says(http(b"", 307, "location: http://127.0.0.1:1/\r\n")),
            EngineError("the server answered with status 307"),
            id="redirect",
        ),
        pytest.param(says(http(CONFLICT, 500)), EngineError("eval_conflict_error"), id="500 of OPA"),
        pytest.param(says(http(b'{"code": "unauthorized"}', 401)), EngineError("unauthorized"), id="401 of OPA"),
        pytest.param(says(http(b"<p>", 502)), EngineError("the server answered with status 502"), id="502 of a proxy"),
        pytest.param(
            says(http(b'{"code": "a secret"}', 500)), EngineError("the server answered with status 500"), id="odd code"
        ),
        pytest.param(floods, TOO_LARGE, id="100 MB"),
        pytest.param(
            says(http(gzip.compress(b" " * 100_000_000), headers="content-encoding: gzip\r\n")),
            TOO_LARGE,
            id="gzip bomb",
        ),
        pytest.param(
            says(http(b"no gzip", headers="content-encoding: gzip\r\n")), broken("ClientPayloadError"), id="no gzip"
        ),
        pytest.param(silent, TIMEOUT, id="never"),
        pytest.param(drips, TIMEOUT, id="slow"),
        pytest.param(reset, broken("ServerDisconnectedError"), id="reset"),
        pytest.param(cuts, broken("ClientPayloadError"), id="cut"),
        pytest.param(says(b"SSH-2.0-OpenSSH\r\n\r\n"), broken("ClientResponseError"), id="not HTTP"),
    ],
)
def test_a_hostile_answer_is_exactly_this(conduct: Conduct, expected: ExchangeError | bytes | None) -> None:
    async def scenario() -> None:
        impostor = Impostor(conduct)
        async with impostor.serving() as url, connected(url) as engine:
            if isinstance(expected, ExchangeError):
                with pytest.raises(ExchangeError) as caught:
                    await decide(engine, 0.3)
                assert (type(caught.value), str(caught.value)) == (type(expected), str(expected))
            else:
                evaluation = await decide(engine)
                policy = replace(engine.identity(), policy_digest="")
                assert evaluation == Evaluation(expected, policy, evaluation.duration_us)
        assert impostor.queries.qsize() == 1

    asyncio.run(scenario())


def test_the_decision_id_and_the_revision_are_those_of_the_answer() -> None:
    async def scenario() -> None:
        document = {
            "result": True,
            "decision_id": "d-1",
            "provenance": PROVENANCE | {"bundles": {"b": {"revision": "r2"}, "a": {"revision": "r1"}, "c": {}}},
        }
        async with Impostor(says(http(json.dumps(document).encode()))).serving() as url, connected(url) as engine:
            evaluation = await decide(engine)
            policy = PolicyIdentity("opa", "1.22.2", "r1,r2", "", "")
            assert evaluation == Evaluation(b"true", policy, evaluation.duration_us, "d-1")

    asyncio.run(scenario())


def test_while_no_server_is_there_nothing_is_decided_and_when_it_is_back_everything_is() -> None:
    async def scenario() -> None:
        impostor = Impostor(says(http(b'{"result": true}')))
        async with AsyncExitStack() as stack:
            async with impostor.serving() as url:
                engine = await stack.enter_async_context(connected(url))
                assert (await decide(engine)).result == b"true"
            with pytest.raises(EngineError, match=r"^the OPA server cannot be reached$"):
                await decide(engine)
            async with impostor.serving(int(url.rpartition(":")[2])):
                assert (await decide(engine)).result == b"true"

    asyncio.run(scenario())


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one() -> None:
    async def scenario() -> None:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def late(writer: asyncio.StreamWriter) -> None:
            asked.set()
            await answer.wait()
            writer.write(http(b'{"result": "late"}'))

        impostor = Impostor(late)
        async with impostor.serving() as url, connected(url) as engine:
            first = asyncio.create_task(decide(engine, 0.1))
            await asked.wait()
            with pytest.raises(EngineTimeout):
                await first
            answer.set()
            impostor.conduct = says(http(b'{"result": "next"}'))
            assert (await decide(engine)).result == b'"next"'

    asyncio.run(scenario())


def test_the_server_has_a_bounded_number_of_queries_at_once_and_the_deadline_counts_the_wait() -> None:
    async def scenario() -> None:
        impostor = Impostor(silent)
        async with impostor.serving() as url, connected(url) as engine:
            asked = [asyncio.create_task(decide(engine, 0.3)) for _ in range(IN_FLIGHT + 5)]
            errors = await asyncio.gather(*asked, return_exceptions=True)
            assert [(type(error), str(error)) for error in errors] == [(EngineTimeout, str(TIMEOUT))] * len(asked)
            assert impostor.queries.qsize() == IN_FLIGHT

    asyncio.run(scenario())


def test_what_cannot_be_answered_in_time_is_refused_at_once() -> None:
    async def scenario() -> None:
        async with Impostor(silent).serving() as url, connected(url) as engine:
            with pytest.raises(EngineTimeout):
                await decide(engine, 0.5)
            waiting = [engine.decide(QUESTION, 0.5) for _ in range(2 * IN_FLIGHT)]
            shed = engine.decide(QUESTION, 0.01)
            assert (type(shed.exception(0)), str(shed.exception(0))) == (
                Overloaded,
                f"{IN_FLIGHT} decisions are waiting: the deadline cannot be met",
            )
            errors = await asyncio.gather(*map(asyncio.wrap_future, waiting), return_exceptions=True)
            assert [type(error) for error in errors] == [EngineTimeout] * len(waiting)

    asyncio.run(scenario())


def test_a_cancelled_decision_makes_room() -> None:
    async def scenario() -> None:
        impostor = Impostor(silent)
        async with impostor.serving() as url, connected(url) as engine:
            asked = [asyncio.create_task(decide(engine)) for _ in range(2 * IN_FLIGHT)]
            for _ in range(IN_FLIGHT):
                await impostor.queries.get()
            for task in asked:
                task.cancel()
            assert all(
                isinstance(e, asyncio.CancelledError) for e in await asyncio.gather(*asked, return_exceptions=True)
            )
            impostor.conduct = says(http(b'{"result": true}'))
            assert (await decide(engine)).result == b"true"

    asyncio.run(scenario())


def test_a_closed_engine_answers_with_an_error_and_so_does_what_was_waiting() -> None:
    async def scenario() -> None:
        impostor = Impostor(silent)
        async with impostor.serving() as url, connected(url) as engine:
            asked = [asyncio.create_task(decide(engine)) for _ in range(IN_FLIGHT + 1)]
            for _ in range(IN_FLIGHT):
                await impostor.queries.get()
            await engine.close()
            later = asyncio.create_task(decide(engine))
            errors = await asyncio.gather(*asked, later, return_exceptions=True)
            assert [type(error) for error in errors] == [EngineError] * (IN_FLIGHT + 2)
            assert [str(error) for error in errors[-2:]] == ["the engine is closed"] * 2

    asyncio.run(scenario())


def test_an_identity_that_cannot_be_refreshed_stays_but_no_evaluation_claims_its_digest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario() -> None:
        impostor = Impostor(says(http(json.dumps(REVISED).encode())), version=http(json.dumps(REVISED).encode()))
        changes: asyncio.Queue[PolicyIdentity] = asyncio.Queue()
        async with impostor.serving() as url, connected(url, changes.put_nowait) as engine:
            identity, impostor.policies = engine.identity(), http(b"<html>")
            assert (await decide(engine)).policy == identity
            for _ in range(4):
                await impostor.surveys.get()
            assert (engine.identity(), changes.empty()) == (identity, True)
            assert (await decide(engine)).policy == replace(identity, policy_digest="")
            assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
                "what OPA holds cannot be read: no policy_digest in receipts"
            ]
            impostor.policies = http(b'{"result": []}')
            assert await changes.get() == engine.identity() != identity

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("impostor", "reason"),
    [
        (Impostor(silent, version=http(b"<html>")), str(NO_DOCUMENT)),
        (Impostor(silent, version=http(b'{"result": {"version": "1"}}')), "the answer has no provenance"),
        (Impostor(silent, version=http(b"", 403)), "the server answered with status 403"),
        (Impostor(silent, policies=http(b'{"code": "unauthorized"}', 401)), "unauthorized"),
        (Impostor(silent, policies=http(b'{"result": 1}')), "the server's answer is not a list of policies"),
    ],
)
def test_a_server_that_is_no_opa_stops_the_start(impostor: Impostor, reason: str) -> None:
    async def scenario() -> None:
        async with impostor.serving() as url:
            with pytest.raises(PolicyLoadError) as caught:
                await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=print)
            advice = "start it with `opa run --server --bundle POLICIES`"
            assert str(caught.value) == f"policy.opa.url: no OPA answers at {url} ({reason}): {advice}"

    asyncio.run(scenario())


def test_no_server_at_all_stops_the_start() -> None:
    async def scenario() -> None:
        async with Impostor(silent).serving() as url:
            pass
        with pytest.raises(PolicyLoadError, match=r"no OPA answers at http://.* \(the OPA server cannot be reached\)"):
            await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=print)

    asyncio.run(scenario())
