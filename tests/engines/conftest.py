"""What every engine must do, as a table: a test that takes `engine_case` runs once for each row."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from extproc.core.engine import PolicyEngine, Question
from extproc.core.point import Point
from extproc.engines.sources import PolicySet, load
from extproc.errors import EngineError, EngineTimeout, ExchangeError

Running = Callable[[PolicySet], AbstractAsyncContextManager[PolicyEngine]]
"""Runs an engine on a policy set whose entrypoint is extproc/request/decision."""

BOMB = "decision := [1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j]"


@dataclass(frozen=True)
class EngineCase:
    """`rules` follow `package extproc.request`; `expected` is the result's JSON text, an error or None: undefined."""

    name: str
    rules: str
    input: bytes
    expected: bytes | type[ExchangeError] | None
    deadline_s: float = 5.0


CASES = (
    EngineCase("undefined", "decision := true if input.missing", b"{}", None),
    EngineCase("null", "decision := null", b"{}", b"null"),
    EngineCase("false", "decision := false", b"{}", b"false"),
    EngineCase(
        "object",
        'decision := {"allowed": input.parsed_body.amount < 10, "reasons": [], "labels": {"b", "a"}}',
        b'{"parsed_body": {"amount": 9.99}}',
        b'{"allowed": true, "reasons": [], "labels": ["a", "b"]}',
    ),
    EngineCase(
        "runtime conflict",
        "decision := 1 if input.x\n\ndecision := 2 if input.y",
        b'{"x": true, "y": true}',
        EngineError,
    ),
    EngineCase("failing builtin is undefined", "decision := to_number(input.x)", b'{"x": "abc"}', None),
    EngineCase("CPU bomb", BOMB, b"{}", EngineTimeout, deadline_s=0.1),
    EngineCase(
        "big integer compares exactly",
        "decision := [input.n == 10000000000000000000000001, input.n == 10000000000000000000000000]",
        b'{"n": 10000000000000000000000001}',
        b"[true, false]",
    ),
    EngineCase("number keeps its value", "decision := input.n", b'{"n": 1.10}', b"1.10"),
    EngineCase(
        "unicode",
        'decision := [input.s, count(input.s), upper(input["\u00e9"])]',
        '{"s": "\\ud83d\\ude00<\u2028>", "é": "été\\u0000"}'.encode(),
        '["😀<\u2028>", 4, "ÉTÉ\\u0000"]'.encode(),
    ),
    EngineCase(
        "deep path",
        "decision := input.a.b.c.d.e.f.g[2].h",
        b'{"a": {"b": {"c": {"d": {"e": {"f": {"g": [0, 1, {"h": "found"}]}}}}}}}',
        b'"found"',
    ),
)


@pytest.fixture
def policies(tmp_path: Path) -> Callable[[str], PolicySet]:
    """A policy set of one module, `request.rego`; each call writes the file anew."""

    def write(rego: str) -> PolicySet:
        (tmp_path / "request.rego").write_text(rego)
        return load([tmp_path], {})

    return write


@pytest.fixture(params=CASES, ids=lambda case: case.name.replace(" ", "_"))
def engine_case(request: pytest.FixtureRequest, policies: Callable[[str], PolicySet]) -> Callable[[Running], None]:
    """One row: call it with what runs your engine on a policy set."""
    case: EngineCase = request.param

    async def check(running: Running) -> None:
        question = Question(Point.REQUEST, case.input)
        async with running(policies(f"package extproc.request\n\n{case.rules}\n")) as engine:
            future = engine.decide(question, case.deadline_s)
            if isinstance(case.expected, type):
                with pytest.raises(case.expected):
                    await future
            else:
                assert _exact((await future).result) == _exact(case.expected)

    return lambda running: asyncio.run(check(running))


def _exact(text: bytes | None) -> object:
    """JSON text as a value that compares digit by digit; None (undefined) differs from `null`."""
    return None if text is None else ("value", json.loads(text, parse_float=Decimal))
