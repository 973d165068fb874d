"""Whether libopa's memory stays flat.

    python tests/engines/soak.py [EVALUATIONS [PREPARES]]

Evaluations of every outcome, and policy sets that are prepared, given other data and closed, side by side.  Prints the
memory at each tenth of the way; ends with status 1 where its level in the last two tenths is above that of the fourth
and fifth by more than SLACK_MIB, or where a handle is left.
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from statistics import median

from extproc.engines.answers import Moment
from extproc.engines.library import Queue, library

SLACK_MIB = 16
BATCH = 64
SECOND_NS = 10**9
REGO = """package a

d := {"allowed": input.amount < 10, "labels": {label | some label in input.labels}} if not input.kind

d := strings if {
	input.kind == "walk"
	strings := {value | walk(input, [_, value]); is_string(value)}
}

d := regex.match(sprintf("^%s$", [input.pattern]), "abc") if input.kind == "pattern"

d := concat("", [input.text | some _ in numbers.range(1, 20)]) if input.kind == "large"

d := [1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j] if input.kind == "bomb"

d := 1 if input.kind == "conflict"

d := 2 if input.kind == "conflict"
"""


ITEMS = b'{"kind": "walk", "items": %s}' % json.dumps([{"sku": f"A-{n}"} for n in range(50)]).encode()
INPUTS = (
    lambda _: ITEMS,
    lambda number: b'{"kind": "pattern", "pattern": "%d.*"}' % number,  # each is another one
    lambda number: b'{"kind": "large", "text": "%b"}' % (b"x" * (40_000 if number % 64 == 2 else 40)),
    lambda _: b'{"kind": "conflict"}',
    lambda _: b'{"kind": "none"}',
    lambda _: b'{"twice": 1, "twice": 2}',
    lambda number: b'{"amount": %d, "labels": ["a", "b"]}' % number,
    lambda _: b'{"kind": "none", "amount": 1e-7}',
)
BOMBS = 5000
"""One evaluation of so many runs into its deadline, of 5 ms."""


def specification(number: int) -> bytes:
    """A policy set that no other is equal to."""
    modules = {"p.rego": REGO, "q.rego": f"package b\n\nd := {number}\n"}
    return json.dumps({"modules": modules, "entrypoints": ["a/d", "b/d"], "data": {"number": number}}).encode()


def evaluate(queue: Queue, handle: int, numbers: range) -> None:
    """A batch, submitted together and taken as it comes."""
    for number in numbers:
        if number % BOMBS:
            document, timeout_ns = INPUTS[number % len(INPUTS)](number), SECOND_NS
        else:
            document, timeout_ns = b'{"kind": "bomb"}', SECOND_NS // 200
        queue.submit(handle, 0, document, timeout_ns=timeout_ns, moment=Moment(time.time_ns(), number))
    missing = len(numbers)
    while missing:
        select.select([queue.descriptor], [], [])
        missing -= len(queue.take())


def renew(handle: int, number: int) -> int:
    """The handle of the next policy set, in the place of this one."""
    fresh = library().prepare(specification(number))
    renewed = library().replace_data(fresh, b'{"number": %d}' % number)
    for old in (fresh, handle):
        library().close(old)
    return renewed


def resident_mib() -> float:
    """What the kernel holds in memory for this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def soak(evaluations: int, prepares: int) -> list[float]:
    """The memory at the end of each batch."""
    queue, handle = library().open(4), library().prepare(specification(0))
    batches = evaluations // BATCH
    levels: list[float] = []
    prepared, start = 0, time.monotonic()
    for batch in range(batches):
        evaluate(queue, handle, range(batch * BATCH, (batch + 1) * BATCH))
        while prepared < prepares * (batch + 1) // batches:
            prepared += 1
            handle = renew(handle, prepared)
        levels.append(resident_mib())
        if (batch + 1) % (batches // 10) == 0:
            seconds = time.monotonic() - start
            say(
                f"{(batch + 1) * BATCH:>8} evaluations, {prepared:>5} prepares, {seconds:5.0f} s: {levels[-1]:6.1f} MiB"
            )
    library().close(handle)
    queue.shut()
    return levels


def say(line: str) -> None:
    """A line on the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(evaluations: int = 1_000_000, prepares: int = 10_000) -> int:
    """Run it and judge."""
    levels = soak(evaluations, prepares)
    tenth = len(levels) // 10
    growth = median(levels[8 * tenth :]) - median(levels[3 * tenth : 5 * tenth])
    statistics = library().statistics()
    say(f"{statistics}\ngrowth {growth:+.1f} MiB, allowed {SLACK_MIB}")
    return int(growth > SLACK_MIB or statistics.handles > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
