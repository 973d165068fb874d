"""A policy set that OPA compiles for ever is given up after a minute, and the old one decides all the while.

OPA goes on compiling, so this is done in a process that can be ended.
"""

import asyncio
import multiprocessing
from multiprocessing.connection import Connection

from engines.asking import SIMPLE, Policies, ask, result, running

from extproc.engines.sources import PolicySet
from extproc.errors import PolicyLoadError

ENDLESS = f"package extproc.request\n\ndecision := {'[x | x := input[' * 30}1{']]' * 30}\n"
"""OPA takes two to three times as long for each further level: 14 are some seconds, 18 more than a minute."""


async def _reload(policies: PolicySet, endless: PolicySet) -> tuple[str, set[bytes | None], bool]:
    """What the reload ends with; all that was answered until then and afterwards; whether the policy is the old one."""
    async with running(policies) as engine:
        reload = asyncio.create_task(asyncio.to_thread(engine.replace, endless))
        answers: set[bytes | None] = set()
        while not reload.done():
            answers.add(await result(engine.decide(ask(b'{"answer": 42}'), 30)))
            await asyncio.wait([reload], timeout=0.1)
        answers.add(await result(engine.decide(ask(b'{"answer": 43}'), 30)))
        try:
            await reload
        except PolicyLoadError as error:
            return str(error), answers, engine.serves(policies)
        return "", answers, engine.serves(policies)


def _in_child(policies: PolicySet, endless: PolicySet, pipe: Connection) -> None:
    pipe.send(asyncio.run(_reload(policies, endless)))


def test_the_old_policy_decides_while_a_reload_runs_into_the_limit_and_afterwards(policies: Policies) -> None:
    ours, theirs = multiprocessing.Pipe()
    loaded, endless = policies(SIMPLE), policies(ENDLESS)
    child = multiprocessing.get_context("spawn").Process(target=_in_child, args=(loaded, endless, theirs))
    child.start()
    try:
        assert ours.poll(300)
        sentence = "deadline: the policy set is not compiled after 1m0s"
        assert ours.recv() == (sentence, {b"42", b"43"}, True)
    finally:
        child.kill()
        child.join()
