"""OPA in this process: libopa, its evaluator as a C shared library (libopa/README.md).  The only importer of ctypes.

The library is loaded by the process that decides and never before a fork: Go's runtime does not survive one.
"""

import asyncio
import ctypes
import json
import os
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from extproc.core.engine import Evaluation, PolicyIdentity, Question
from extproc.core.events import Direction
from extproc.engines.pool import Pool
from extproc.engines.sources import PolicySet
from extproc.errors import EngineError, EngineTimeout, ExchangeError, Overloaded, PolicyLoadError

ABI = 1
LIBRARY = Path(__file__).with_name("libopa.so")
SMOOTHING = 0.1
"""Weight of the newest evaluation in the moving average that the expected wait is computed from."""
MAX_LOST = 32
"""Evaluations inside one long builtin call cannot be stopped; with this many of them running, nothing more is taken."""
_UNDEFINED, _FAILURE = 1, 2


class _Library:
    """The C interface, with Python values.  `pid` is the process that loaded it, the only one that may call it."""

    def __init__(self) -> None:
        if not LIBRARY.exists():
            raise PolicyLoadError(f"{LIBRARY} is missing: install the package again where it can be built")
        self.pid = os.getpid()
        library = ctypes.CDLL(str(LIBRARY))
        self._version, self._prepare, self._eval = library.libopa_version, library.libopa_prepare, library.libopa_eval
        self._close, self._free = library.libopa_close, library.libopa_free
        self._version.restype = self._prepare.restype = ctypes.c_void_p
        self._eval.restype = ctypes.c_int32
        self._close.restype = self._free.restype = None
        self._close.argtypes, self._free.argtypes = [ctypes.c_int64], [ctypes.c_void_p]
        integers = (ctypes.c_int64, ctypes.c_int64)
        self._prepare.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p]
        in_bytes = (ctypes.c_char_p, ctypes.c_size_t)
        self._eval.argtypes = [ctypes.c_int64, ctypes.c_int32, *in_bytes, *integers, ctypes.c_void_p, ctypes.c_void_p]
        length = ctypes.c_size_t()
        version = json.loads(self._take(self._version(ctypes.byref(length)), length))
        if version["abi"] != ABI:
            raise PolicyLoadError(f"{LIBRARY} has ABI {version['abi']}, not {ABI}: install the package again")
        self.opa_version = str(version["opa"])

    def _take(self, buffer: int | None, length: ctypes.c_size_t) -> bytes:
        text = ctypes.string_at(buffer or 0, length.value)
        self._free(buffer)
        return text

    def prepare(self, specification: bytes) -> int:
        """The handle of a compiled policy set.  Raises PolicyLoadError with every problem that OPA found."""
        self.check_process()
        handle, length = ctypes.c_int64(), ctypes.c_size_t()
        buffer = self._prepare(specification, len(specification), ctypes.byref(handle), ctypes.byref(length))
        problems = json.loads(self._take(buffer, length))
        if problems:
            raise PolicyLoadError("; ".join(_sentence(**problem) for problem in problems))
        return handle.value

    def evaluate(self, handle: int, entrypoint: int, document: bytes, timeout_ns: int, time_ns: int) -> bytes | None:
        """The result as JSON text, None for undefined.  Gives the GIL away.  Raises EngineTimeout, EngineError."""
        buffer, length = ctypes.c_void_p(), ctypes.c_size_t()
        status = self._eval(
            handle, entrypoint, document, len(document), timeout_ns, time_ns, ctypes.byref(buffer), ctypes.byref(length)
        )
        if status == _UNDEFINED:
            return None
        text = self._take(buffer.value, length)
        if status == _FAILURE:
            raise _failure(**json.loads(text))
        return text

    def close(self, handle: int) -> None:
        """Drop a policy set; an evaluation that runs ends in peace."""
        if os.getpid() == self.pid:
            self._close(handle)

    def check_process(self) -> None:
        """Raise EngineError in a forked child, where a call would hang."""
        if os.getpid() != self.pid:
            raise EngineError("libopa was loaded before a fork: start workers by spawn")


@cache
def _library() -> _Library:
    """A process can load a C library only once; a forked child finds its parent's here and is refused."""
    return _Library()


def _sentence(*, code: str, file: str, row: int, col: int, message: str) -> str:
    return f"{file}:{row}:{col}: {code}: {message}" if file else f"{code}: {message}"


def _failure(*, kind: str, code: str, file: str, row: int, message: str) -> ExchangeError:
    """OPA's words about an evaluation could quote the input, so libopa keeps them to itself."""
    match kind:
        case "deadline":
            return EngineTimeout("the policy did not answer before the deadline")
        case "evaluation":
            return EngineError(f"{code} at {file}:{row}" if file else code)
        case _:
            return EngineError(f"{kind}: {message}")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Prepared:
    """A compiled policy set; libopa drops it when the last evaluation that uses it has let go."""

    handle: int
    identity: PolicyIdentity


class EmbeddedEngine:
    """A PolicyEngine with a pool of threads.

    `entrypoints` holds the policy path of each decision point, None where it is not asked.  `threads` evaluate at once
    (default: one for each CPU).  `clock_ns` is what `time.now_ns()` says: nanoseconds since the epoch.
    Raises PolicyLoadError; EngineError in a process that was forked from one that had loaded libopa.
    """

    def __init__(
        self,
        *,
        policies: PolicySet,
        entrypoints: Mapping[Direction, str | None],
        threads: int | None = None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        points = {point: path.strip("/") for point, path in entrypoints.items() if path is not None}
        self._paths = list(points.values())
        self._index = {point: index for index, point in enumerate(points)}
        self._threads = threads or os.cpu_count() or 1
        self._clock_ns = clock_ns
        self._library = _library()
        self._prepared = self._prepare(policies)
        self._pool = Pool[Evaluation](self._threads)
        self._mean_ns = 0.0
        self._closed = False

    def _prepare(self, policies: PolicySet) -> _Prepared:
        specification = {"modules": dict(policies.modules), "data": dict(policies.data), "entrypoints": self._paths}
        handle = self._library.prepare(json.dumps(specification).encode())
        prepared = _Prepared(handle, self._identity_of(policies))
        weakref.finalize(prepared, self._library.close, handle).atexit = False
        return prepared

    def _identity_of(self, policies: PolicySet) -> PolicyIdentity:
        return PolicyIdentity(
            engine="embedded",
            engine_version=self._library.opa_version,
            revision=policies.revision,
            policy_digest=policies.policy_digest,
            data_digest=policies.data_digest,
        )

    def replace(self, policies: PolicySet) -> None:
        """Decide by this policy set from now on; blocks while it compiles.  PolicyLoadError: the old one stays."""
        self._prepared = self._prepare(policies)

    def serves(self, policies: PolicySet) -> bool:
        """Whether this policy set is the one that decides."""
        return self.identity() == self._identity_of(policies)

    def identity(self) -> PolicyIdentity:
        """See PolicyEngine; an evaluation names the policy that really answered."""
        return self._prepared.identity

    def decide(self, question: Question, deadline_s: float) -> Future[Evaluation]:
        """See PolicyEngine."""
        due_ns = time.monotonic_ns() + int(deadline_s * 1e9)
        try:
            self._admit(question.point, deadline_s)
        except ExchangeError as error:
            return _failed(error)
        return self._pool.submit(partial(self._evaluate, question, due_ns), due_ns)

    def _admit(self, point: Direction, deadline_s: float) -> None:
        self._library.check_process()
        if self._closed:
            raise EngineError("the engine is closed")
        if point not in self._index:
            raise EngineError(f"no entrypoint is configured for the {point.value} point")
        if self._pool.lost >= MAX_LOST:
            raise Overloaded(f"{MAX_LOST} evaluations could not be stopped at their deadlines and still run")
        waiting = self._pool.waiting
        if waiting * self._mean_ns / self._threads > deadline_s * 1e9:
            raise Overloaded(f"{waiting} decisions are waiting: the deadline cannot be met")

    def _evaluate(self, question: Question, due_ns: int) -> Evaluation:
        if self._closed:
            raise EngineError("the engine is closed")
        prepared, start_ns = self._prepared, time.monotonic_ns()
        if start_ns >= due_ns:
            raise EngineTimeout("the deadline passed while the decision was waiting for a thread")
        index, time_ns = self._index[question.point], self._clock_ns()
        try:
            result = self._library.evaluate(prepared.handle, index, question.input, due_ns - start_ns, time_ns)
        finally:
            took_ns = time.monotonic_ns() - start_ns
            counted_ns = min(took_ns, due_ns - start_ns)  # what overran its deadline no longer held up anybody
            self._mean_ns += SMOOTHING * (counted_ns - self._mean_ns)  # a lost update among threads does no harm
        return Evaluation(result=result, policy=prepared.identity, duration_us=took_ns // 1000)

    async def close(self) -> None:
        """See PolicyEngine; returns when what runs has ended, soon after its deadline if not before."""
        self._closed = True
        await asyncio.to_thread(self._pool.close)


def _failed(error: ExchangeError) -> Future[Evaluation]:
    future: Future[Evaluation] = Future()
    future.set_exception(error)
    return future
