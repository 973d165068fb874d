"""What libopa says (libopa/libopa.h), as values and as errors of ours."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from struct import Struct

from extproc.errors import EngineError, EngineTimeout, ExchangeError, Overloaded, PolicyLoadError

_RECORD = Struct("=qqiII")
_UNDEFINED, _FAILURE = 1, 2
_ADVICE = {
    "entrypoint": ": define it, or change policy.points",
    "builtin_withheld": ": do without, or name it in policy.allow_builtins",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """What an evaluation depends on beside policy and input; with all of them equal, so is the answer.

    `time_ns` is what `time.now_ns()` says, `seed` (64 bits) what random builtins draw from.
    """

    time_ns: int
    seed: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a job.

    `result` is JSON text, None for undefined.  `took_ns` is 0 if it never began.  `notes` is JSON text of a policy set
    that explains, and may quote the input; else empty.
    """

    ticket: int
    took_ns: int
    result: bytes | None
    error: ExchangeError | None
    notes: bytes = b""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts since libopa was loaded, and the state of its process now.

    `failures` is by kind: deadline, evaluation, input, memory, overloaded, withdrawn, internal.  `lost` evaluations
    could not be stopped at their deadlines; `running` and `slow` (10 ms or more) hold those that still run.
    `kept_bytes` is what libopa keeps between evaluations (patterns, schemas, keys), estimated from above; `heap_bytes`
    is Go's heap, `memory_bytes` what Go has from the kernel.
    """

    results: int
    undefined: int
    failures: Mapping[str, int]
    lost: int
    running: int
    slow: int
    handles: int
    kept_bytes: int
    heap_bytes: int
    memory_bytes: int
    collections: int


def read_answers(content: memoryview) -> Iterator[Answer]:
    """The answers that libopa_take wrote."""
    start = 0
    while start < len(content):
        ticket, took_ns, status, length, notes_length = _RECORD.unpack_from(content, start)
        start += _RECORD.size
        middle, end = start + length, start + length + notes_length
        output, notes = content[start:middle].tobytes(), content[middle:end].tobytes()
        start = end
        if status == _FAILURE:
            yield Answer(ticket, took_ns, None, _failure(**json.loads(output)), notes)
        else:
            yield Answer(ticket, took_ns, None if status == _UNDEFINED else output, None, notes)


def refuse(problems: bytes) -> None:
    """Raise PolicyLoadError with every problem of a list; an empty one is fine."""
    if found := json.loads(problems):
        raise PolicyLoadError("; ".join(_sentence(**problem) for problem in found) + _advice(found))


def _sentence(*, code: str, file: str, row: int, col: int, message: str) -> str:
    place = f"{file}:{row}:{col}: " if row else f"{file}: " if file else ""
    return f"{place}{code}: {message}{_ADVICE.get(code, '')}"


def _advice(problems: Iterable[Mapping[str, object]]) -> str:
    """What to do about a text that is no Rego."""
    file = next((problem["file"] for problem in problems if problem["code"] == "rego_parse_error"), "")
    return f": mend it; `opa check {file}` says more" if file else ""


def _failure(*, kind: str, code: str, file: str, row: int, message: str) -> ExchangeError:
    """OPA's words about an evaluation could quote the input, so libopa keeps them to itself."""
    match kind:
        case "deadline":
            return EngineTimeout(message)
        case "memory" | "overloaded":
            return Overloaded(message)
        case "evaluation":
            return EngineError(f"{code} at {file}:{row}" if file else code)
        case "withdrawn":
            return EngineError("the engine is closed")
        case _:
            return EngineError(f"{kind}: {message}")
