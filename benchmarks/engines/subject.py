"""One of our engines as a process of its own that evaluates on demand.

    python -m benchmarks.engines.subject embedded
    python -m benchmarks.engines.subject rest URL

Each line on standard input is `POLICY BYTES SECONDS`; the answer is one line of JSON: `us`, the wall time of each
evaluation, one at a time, and `result`, the last one's.  The Go SDK's (sdk/main.go) does the same.
"""

import asyncio
import gc
import json
import sys
import time

from benchmarks.engines.work import ENTRYPOINTS, FOLDER, PATIENCE_S, POLICIES, document
from extproc.core.engine import PolicyEngine, PolicyIdentity, Question
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.opa import OpaEngine
from extproc.engines.sources import load


async def _engine(kind: str, *arguments: str) -> PolicyEngine:
    if kind == "embedded":
        return EmbeddedEngine(policies=load([FOLDER], {}), entrypoints=ENTRYPOINTS)

    def ignore(_: PolicyIdentity) -> None:
        pass

    (url,) = arguments
    return await OpaEngine.connect(url=url, entrypoints=ENTRYPOINTS, on_change=ignore, refresh_s=3600)


async def _evaluate(engine: PolicyEngine, question: Question, seconds: float) -> dict[str, object]:
    us, result, end_s = [], b"", time.perf_counter() + seconds
    start_s = time.perf_counter()
    while start_s < end_s:
        evaluation = await engine.decide(question, PATIENCE_S)
        now_s = time.perf_counter()
        us.append(round((now_s - start_s) * 1e6, 1))
        result, start_s = evaluation.result or b"", now_s
    return {"us": us, "result": json.loads(result)}


async def _serve() -> None:
    engine = await _engine(*sys.argv[1:])
    questions = {}
    while line := await asyncio.to_thread(sys.stdin.readline):
        policy, size, seconds = line.split()
        key = policy, size
        if key not in questions:
            questions[key] = Question(POLICIES[policy], document(int(size)))
        answer = await _evaluate(engine, questions[key], float(seconds))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    await engine.close()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in a worker
    asyncio.run(_serve())
