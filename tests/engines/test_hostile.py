"""Policies that would run for minutes or longer: each is stopped at its deadline, and others are answered meanwhile."""

import asyncio
import json
import select
import time
from collections.abc import Iterator

import pytest
from engines.asking import Policies, running

from extproc.engines.answers import Answer, Moment
from extproc.engines.library import Queue, library
from extproc.engines.sources import PolicySet
from extproc.errors import EngineTimeout, PolicyLoadError

DEADLINE_NS, OVERRUN_NS = 50 * 10**6, 2 * 10**9
"""The library gives an evaluation up 10 ms after its deadline, by its own clock; the rest is for a busy machine."""
PATIENT_NS = 60 * 10**9
INPUT = json.dumps({"xs": list(range(1500)), "text": "ab" * 20_000, "nested": json.loads("[" * 60 + "]" * 60)}).encode()

OVER = "some i in numbers.range(1, 30000)\n\tsome j in numbers.range(1, 30000)\n\t"
"""Each body below runs 900 million times."""

LOOPS = {
    "a search without a hit": "i == j + 30000",
    "nested numbers": "numbers.range(i, j)[_] == -1",
    "regex.match": 'regex.match("^(a|b)*c$", input.text)',
    "regex.find_n": 'count(regex.find_n("a", input.text, -1)) == i',
    "regex.replace": 'regex.replace(input.text, "a", "bb") == "c"',
    "regex made of data": 'regex.match(sprintf("a%d{1,100}$", [j]), input.text)',
    "glob.match": 'glob.match("*a*b*c*", [], substring(input.text, 0, 200))',
    "sprintf": 'sprintf("%1000d %s", [i, input.text]) == "c"',
    "concat": 'concat(",", [input.text, input.text]) == "c"',
    "split": 'count(split(input.text, "a")) == i + 30000',
    "strings.replace_n": 'strings.replace_n({"a": "b", "b": "a"}, input.text) == "c"',
    "indexof_n": 'count(indexof_n(input.text, "b")) == i + 30000',
    "json.marshal": 'json.marshal(input.xs) == "c"',
    "json.unmarshal": "json.unmarshal(json.marshal(input.xs)) == i",
    "json.patch": 'json.patch(input, [{"op": "add", "path": "/xs/0", "value": i}]).xs == 1',
    "yaml.marshal": 'yaml.marshal(input.xs) == "c"',
    "base64": 'base64.decode(base64.encode(input.text)) == "c"',
    "crypto.sha256": 'crypto.sha256(input.text) == "c"',
    "crypto.hmac.sha512": 'crypto.hmac.sha512(input.text, "key") == "c"',
    "io.jwt.decode": 'io.jwt.decode(concat(".", ["e30", base64url.encode_no_pad(input.text), "e30"]))[0].alg == i',
    "sort": "sort(input.xs)[0] == 1",
    "sum": "sum(input.xs) == i + j - 60001",
    "sets": "({x | some x in input.xs} & {i, j}) == {-1}",
    "array.concat": "count(array.concat(input.xs, input.xs)) == i + 30000",
    "walk": "walk(input, [_, i + 30000])",
    "every": "every x in input.xs { x < 1499 }",
    "graph.reachable": 'graph.reachable({"a": input.xs}, {"a"}) == {"b"}',
    "net.cidr_merge": 'net.cidr_merge([sprintf("10.%d.0.0/16", [i % 256]), "10.0.0.0/8"]) == {"c"}',
    "semver": 'semver.compare(sprintf("1.%d.%d", [i, j]), "1.0.0") == -1',
    "time.parse": 'time.parse_rfc3339_ns("2026-01-01T00:00:00Z") == i',
    "uuid": 'uuid.rfc4122(sprintf("%d-%d", [i, j])) == "c"',
    "object.union": "object.union(input, {sprintf(`%d`, [i]): j}).xs == 1",
}
RULES = {
    "a cross product of three": "d := [1 | some x in input.xs; some y in input.xs; some z in input.xs; x + y == z]",
    "a set that grows": "d contains [x, y, z] if { some x in input.xs; some y in input.xs; some z in input.xs }",
    "an object that grows": 'd[sprintf("%d-%d", [x, y])] := x if { some x in input.xs; some y in input.xs }',
    "two walks": "d := [1 | walk(input, [p, _]); walk(input, [q, _]); p == array.concat(q, q)]",
    "calls that double": "\n".join(
        ["d := f0(1)", *(f"f{n}(x) := f{n + 1}(x * 2) + f{n + 1}((x * 2) + 1)" for n in range(24)), "f24(x) := x"]
    ),
    "rules under with": "d := [1 | some x in input.xs; some y in input.xs; e with input.x as x with input.y as y]\n\n"
    "e if count([1 | some z in input.xs; z == input.x + input.y + 3000]) > 0",
    "an address range": 'd := count(net.cidr_expand("0.0.0.0/4"))',
    "a range of numbers": "d := count(numbers.range(1, 1000000000))",
    "a shift that cannot be stopped": "d := bits.lsh(1, 12000000)",
    "a product that cannot be stopped": "d := product(numbers.range(1, 30000))",
}
HOSTILE = {name: f"d := [1 |\n\t{OVER}{body}\n]" for name, body in LOOPS.items()} | RULES


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 30


@pytest.fixture
def _lost_ones_end() -> Iterator[None]:
    """What cannot be stopped must not take the CPUs of the next test."""
    yield
    while library().statistics().running:
        time.sleep(0)


@pytest.mark.usefixtures("_lost_ones_end")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_policy_is_stopped_in_time_while_others_go_on(name: str) -> None:
    modules = {"hostile.rego": f"package hostile\n\n{HOSTILE[name]}\n\nhonest := input.text\n"}
    handle = library().prepare(
        json.dumps({"modules": modules, "entrypoints": ["hostile/d", "hostile/honest"]}).encode()
    )
    queue, moment = library().open(4), Moment(0, 0)
    attacks = {queue.submit(handle, 0, INPUT, timeout_ns=DEADLINE_NS, moment=moment) for _ in "12"}
    honest = {queue.submit(handle, 1, b'{"text": 1}', timeout_ns=PATIENT_NS, moment=moment) for _ in "123"}
    answers = _answers(queue, attacks | honest)
    queue.shut()
    library().close(handle)
    assert [answers[ticket].result for ticket in honest] == [b"1"] * 3
    assert [type(answers[ticket].error) for ticket in attacks] == [EngineTimeout] * 2
    assert max(answers[ticket].took_ns for ticket in attacks) < DEADLINE_NS + OVERRUN_NS


def _answers(queue: Queue, tickets: set[int]) -> dict[int, Answer]:
    answers: dict[int, Answer] = {}
    while answers.keys() != tickets:
        select.select([queue.descriptor], [], [])
        answers |= {answer.ticket: answer for answer in queue.take()}
    return answers


@pytest.mark.parametrize("builtin", ["json.match_schema({}, input)", "json.verify_schema(input)"])
def test_a_schema_builtin_does_not_load(policies: Policies, builtin: str) -> None:
    with pytest.raises(PolicyLoadError, match="builtin_withheld: json"):
        asyncio.run(_opened(policies(f"package extproc.request\n\ndecision := {builtin}\n")))


async def _opened(loaded: PolicySet) -> None:
    async with running(loaded):
        pass
