"""What is asked of a policy engine, and the protocol that an engine keeps."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from extproc.core.point import Point


@dataclass(frozen=True, slots=True)
class PolicyIdentity:
    """Which policy answered.  Digests are SHA-256 in hexadecimal; `revision` is the bundle's own word, or empty."""

    engine: str
    engine_version: str
    revision: str
    policy_digest: str
    data_digest: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One answer of an engine.

    `result` is the JSON text of the entrypoint's value, or None where it is undefined (which is not `null`).
    `duration_us` is the evaluation alone, without the queue.  `decision_id` is the engine's own, where it has one.
    `time_ns` is what `time.now_ns()` said and `seed` what random builtins drew from, where the engine tells them: with
    the same policy and input they give the same result again.
    """

    result: bytes | None
    policy: PolicyIdentity
    duration_us: int
    decision_id: str = ""
    time_ns: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """The input document (JSON text) for one decision point."""

    point: Point
    input: bytes


class PolicyEngine(Protocol):
    """Something that evaluates Rego.  Implementations: extproc.engines.embedded, extproc.engines.opa."""

    def decide(self, question: Question, deadline_s: float) -> Awaitable[Evaluation]:
        """Evaluate the point's entrypoint on the input; never blocks the caller.

        Called on the event loop that the engine was made on, and awaited there once: where the task that waits is
        cancelled, an evaluation that has not begun need not begin.
        What is awaited raises EngineTimeout once `deadline_s` seconds have passed since this call (queueing included),
        Overloaded when the deadline cannot be met, EngineError for everything else that goes wrong.
        """
        ...

    def identity(self) -> PolicyIdentity:
        """The policy that a decision asked for now would be answered by."""
        ...

    async def close(self) -> None:
        """Let go of threads and connections; a decision that is still open fails with EngineError."""
        ...
