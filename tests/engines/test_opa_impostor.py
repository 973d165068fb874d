"""Whatever a server answers, it is a result that OPA would give, or an error of ours."""

import asyncio
import gzip
from dataclasses import replace

import pytest
from engines.impostor import (
    CONFLICT,
    NO_DOCUMENT,
    TIMEOUT,
    TOO_LARGE,
    Conduct,
    Impostor,
    broken,
    connected,
    cuts,
    decide,
    drips,
    floods,
    http,
    reset,
    says,
    silent,
)

from extproc.core.engine import Evaluation
from extproc.errors import EngineError, EngineTimeout, ExchangeError


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
