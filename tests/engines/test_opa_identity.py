"""Which policy answered, as the OPA server says it, and what is no OPA server."""

import asyncio
import json
import logging
from dataclasses import replace

import pytest
from engines.impostor import (
    ENTRYPOINTS,
    NO_DOCUMENT,
    PROVENANCE,
    REVISED,
    Impostor,
    connected,
    decide,
    http,
    says,
    silent,
)

from extproc.core.engine import Evaluation, PolicyIdentity
from extproc.engines.opa import OpaEngine
from extproc.errors import PolicyLoadError


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
