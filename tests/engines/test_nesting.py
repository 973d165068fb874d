"""What nests far enough to fill Go's stack, which would end the process: the evaluation ends instead."""

import asyncio
import json

import pytest
from engines.asking import Policies, ask, outcome, result, running

from extproc.engines.embedded import Options
from extproc.errors import EngineError

_SELF_CALLING = '{{define "a"}}' + "{{with .}}" * 20 + '{{template "a" .}}' + "{{end}}" * 21 + '{{template "a" .}}'


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("graphql.parse_query(input.q)", "{a" * 1_000_000 + "}" * 1_000_000),
        ("graphql.is_valid(input.q, input.q)", "{a" * 1_000_000 + "}" * 1_000_000),
        ("graphql.parse_query(input.q)", "{a(x:" + "[" * 350_000 + "]" * 350_000 + ")}"),
        ("graphql.parse_query(input.q)", "mutation { wipe } #" + "{" * 10_001),
        ("strings.render_template(input.q, {})", "{{if true}}" * 1_000_000),
        ('strings.render_template(input.q, {"a": 1})', _SELF_CALLING),
        ("strings.render_template(input.q, {})", '{{- block "x" .}}{{end}}'),
        ('glob.match(input.q, [], "x")', "{" * 4_000_000 + "}" * 4_000_000),
        ('json.filter({"a": {"a": 1}}, [input.q])', "/a" * 1_000_000),
        ('rego.parse_module("p.rego", input.q)', "package a\nd if input\n" + "else if input\n" * 10_001),
        ('rego.parse_module("p.rego", input.q)', "package a\nd := " + '$"{' * 2_000 + "1" + '}"' * 2_000),
        ('json.remove({"a": {"a": 1}}, {input.q})', "/a" * 1_000_000),
    ],
)
def test_a_text_that_would_fill_the_stack_ends_no_process(policies: Policies, call: str, text: str) -> None:
    async def scenario() -> None:
        rules = policies(f"package extproc.request\n\ndecision := {call}\n")
        async with running(rules, options=Options(allow_builtins=("strings.render_template",))) as engine:
            error = await outcome(engine.decide(ask(json.dumps({"q": text}).encode()), 30))
            assert isinstance(error, EngineError)

    asyncio.run(scenario())


def test_a_text_that_is_held_against_a_glob_may_have_any_number_of_brackets(policies: Policies) -> None:
    async def scenario() -> None:
        rules = 'package extproc.request\n\ndecision := glob.match("*}", [], input.q)\n'
        async with running(policies(rules)) as engine:
            question = ask(json.dumps({"q": "{" * 20_000 + "}"}).encode())
            assert await result(engine.decide(question, 30)) == b"true"

    asyncio.run(scenario())


COPIES = [{"op": "copy", "from": "", "path": "/a" * 2**n} for n in range(22)]
"""Each puts all that there is at its deepest place: four million levels."""
NESTS = "\n\n".join(
    ['p0 := "/a"', 'd0 := {"a": 0}', 'add(path, value) := [{"op": "add", "path": path, "value": value}]']
    + [f'p{n + 1} := concat("", [p{n}, p{n}])\n\nd{n + 1} := json.patch(d{n}, add(p{n}, d{n}))' for n in range(22)]
)
"""Each puts what the last one made at its own deepest place."""


@pytest.mark.parametrize(
    ("rules", "question"),
    [
        ("decision := json.patch(input.d, input.p)", {"d": {"a": 0}, "p": COPIES}),
        (
            "decision := json.patch(input.d, input.p)",
            {"d": {"a": 0}, "p": [{**copy, "path": copy["path"].split("/")[1:]} for copy in COPIES]},
        ),
        (f"decision := count(json.marshal(d22))\n\n{NESTS}", {}),
    ],
)
def test_no_patch_nests_a_value_until_the_stack_is_full(policies: Policies, rules: str, question: object) -> None:
    async def scenario() -> None:
        async with running(policies(f"package extproc.request\n\n{rules}\n")) as engine:
            error = await outcome(engine.decide(ask(json.dumps(question).encode()), 30))
            assert isinstance(error, EngineError)

    asyncio.run(scenario())


def test_a_patch_of_many_operations_and_moves_is_no_nest(policies: Policies) -> None:
    adds = [{"op": "add", "path": f"/xs/{n}/a/b", "value": {"c": [n]}} for n in range(5_000)]
    moves = [{"op": "move", "from": "/xs/0/a/b/c", "path": "/c"}, {"op": "copy", "from": "/xs/1", "path": "/d"}]
    rules = "decision := json.patch(input.d, input.p).c\n"

    async def scenario() -> None:
        async with running(policies(f"package extproc.request\n\n{rules}")) as engine:
            question = {"d": {"xs": [{"a": {}}] * 5_000}, "p": adds + moves}
            assert await result(engine.decide(ask(json.dumps(question).encode()), 30)) == b"[0]"

    asyncio.run(scenario())
