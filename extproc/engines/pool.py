"""Threads for calls that nobody can interrupt: one that overruns its deadline is given up, and its thread replaced."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from extproc.errors import EngineError, EngineTimeout

PATROL_S = 0.05
GRACE_NS = 10_000_000
"""libopa itself ends most evaluations at their deadline; only what is later than this is given up."""

_T = TypeVar("_T")


@dataclass(slots=True, eq=False)
class _Job(Generic[_T]):
    call: Callable[[], _T]
    due_ns: int
    future: Future[_T]


class Pool(Generic[_T]):
    """A number of threads that take calls in order.  A given-up call goes on in a thread that is no longer ours."""

    def __init__(self, threads: int) -> None:
        self._jobs: SimpleQueue[_Job[_T] | None] = SimpleQueue()
        self._running: set[_Job[_T]] = set()
        self._changed = threading.Condition()
        self._live = 0
        self._lost = 0
        self._closing = False
        for _ in range(threads):
            self._start()
        self._stop = threading.Event()
        threading.Thread(target=self._patrol, name="policy-patrol", daemon=True).start()

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return self._jobs.qsize()

    @property
    def lost(self) -> int:
        """Calls that were given up and still burn a CPU."""
        return self._lost

    def submit(self, call: Callable[[], _T], due_ns: int) -> Future[_T]:
        """Queue a call; `due_ns` is of the monotonic clock.  EngineTimeout in the future: the call overran it."""
        future: Future[_T] = Future()
        self._jobs.put(_Job(call, due_ns, future))
        return future

    def close(self) -> None:
        """Wait until the running calls have ended or are given up; EngineError for those that no thread took."""
        with self._changed:
            self._closing = True
            for _ in range(self._live):
                self._jobs.put(None)
            self._changed.wait_for(lambda: self._live == 0)
        self._stop.set()
        while not self._jobs.empty():
            job = self._jobs.get()
            if job is not None and job.future.set_running_or_notify_cancel():
                job.future.set_exception(EngineError("the engine is closed"))

    def _start(self) -> None:
        self._live += 1
        threading.Thread(target=self._work, name="policy", daemon=True).start()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.future.set_running_or_notify_cancel() and not self._run(job):
                return
        self._leave()

    def _run(self, job: _Job[_T]) -> bool:
        """Whether the thread is still ours after the call."""
        with self._changed:
            self._running.add(job)
        try:
            result = job.call()
        except BaseException as error:  # noqa: BLE001 - it belongs to the caller
            ours = self._take(job)
            if ours:
                job.future.set_exception(error)
        else:
            ours = self._take(job)
            if ours:
                job.future.set_result(result)
        return ours

    def _take(self, job: _Job[_T]) -> bool:
        """Claim the right to answer, which the patrol may have taken."""
        with self._changed:
            if job in self._running:
                self._running.remove(job)
                return True
            self._lost -= 1
            return False

    def _leave(self) -> None:
        with self._changed:
            self._live -= 1
            self._changed.notify_all()

    def _patrol(self) -> None:
        while not self._stop.wait(PATROL_S):
            late_ns = time.monotonic_ns() - GRACE_NS
            with self._changed:
                overdue = [job for job in self._running if job.due_ns < late_ns]
            for job in overdue:
                self._give_up(job)

    def _give_up(self, job: _Job[_T]) -> None:
        with self._changed:
            if job not in self._running:
                return
            self._running.remove(job)
            self._lost += 1
            self._live -= 1
            if not self._closing:
                self._start()
            self._changed.notify_all()
        job.future.set_exception(EngineTimeout("the policy did not answer, and could not be stopped at the deadline"))
