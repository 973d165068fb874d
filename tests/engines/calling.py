"""The C interface as any Python program has it, one call at a time."""

import json
import select

from extproc.engines.answers import Answer, Moment
from extproc.engines.library import Queue, library
from extproc.errors import ExchangeError

MOMENT = Moment(time_ns=1_767_355_200_000_000_000, seed=7)
MINUTE_NS = 60 * 10**9


def prepare(rego: str, **options: object) -> int:
    specification = {"modules": {"p.rego": f"package a\n\n{rego}\n"}, "entrypoints": ["a/d"], **options}
    return library().prepare(json.dumps(specification).encode())


def take(queue: Queue, number: int) -> list[Answer]:
    answers: list[Answer] = []
    while len(answers) < number:
        assert select.select([queue.descriptor], [], [], 60)[0]
        answers += queue.take()
    return answers


def ask(queue: Queue, handle: int, document: bytes | None = b"{}", entrypoint: int = 0) -> Answer:
    ticket = queue.submit(handle, entrypoint, document, timeout_ns=MINUTE_NS, moment=MOMENT)
    (answer,) = take(queue, 1)
    assert answer.ticket == ticket
    return answer


def said(error: ExchangeError | None) -> tuple[type[ExchangeError] | None, str]:
    return type(error) if error else None, str(error)
