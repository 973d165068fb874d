"""libopa's reader, asked through a policy that gives its input back."""

import json
import select
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal

from extproc.core.decoding.json import parse
from extproc.core.decoding.media_type import MediaType
from extproc.core.rules import Limits
from extproc.engines.answers import Moment
from extproc.engines.library import Queue, library
from extproc.errors import Malformed

_ECHO = {"modules": {"p.rego": "package a\n\nd := input\n"}, "entrypoints": ["a/d"]}
_JSON = MediaType("application/json")
_DEEP = Limits(depth=250)  # the deepest that the server's reader knows; libopa knows 1,024 levels


@dataclass(frozen=True, slots=True)
class Reader:
    """A policy set and a queue for it."""

    handle: int
    queue: Queue

    def read(self, texts: Iterable[bytes]) -> list[bytes | None]:
        """What the policy saw of each, as JSON text; None where the input was refused."""
        tickets = [
            self.queue.submit(self.handle, 0, text, timeout_ns=60 * 10**9, moment=Moment(0, 0)) for text in texts
        ]
        answers: dict[int, bytes | None] = {}
        while len(answers) < len(tickets):
            select.select([self.queue.descriptor], [], [])
            for answer in self.queue.take():
                assert answer.error is None or str(answer.error).startswith("input: ")
                answers[answer.ticket] = answer.result
        return [answers[ticket] for ticket in tickets]


@contextmanager
def reader() -> Iterator[Reader]:
    """One for as long as the block runs."""
    handle, queue = library().prepare(json.dumps(_ECHO).encode()), library().open(2)
    yield Reader(handle, queue)
    queue.shut()
    library().close(handle)


def accepted_by_the_server(text: bytes) -> bool:
    """What the reference, our strict reader of bodies, says."""
    try:
        parse(text, _JSON, _DEEP)
    except Malformed:
        return False
    return True


def exact(text: bytes) -> object:
    """A value that compares digit by digit."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
