"""OPA in this process, by way of libopa.

The library is loaded by the process that decides and never before a fork: Go's runtime does not survive one.
"""

import asyncio
import json
import logging
import secrets
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson
from typing_extensions import override

from extproc.core.engine import Evaluation, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines.answers import Answer, Moment, Statistics
from extproc.engines.library import MAX_LOST, library
from extproc.engines.sources import PolicySet
from extproc.errors import EngineError, ExchangeError, Overloaded

SMOOTHING = 0.1
"""Weight of the newest evaluation in the moving average that the expected wait is computed from."""
THREADS = 8
"""The least by default, for a few slow evaluations must not keep all the threads; idle ones cost little."""
_LONGEST_S = 86_400.0
_LOG = logging.getLogger(__name__)


def _random_seed() -> int:
    return secrets.randbits(64)


@dataclass(frozen=True, slots=True)
class Options:
    """How policies are evaluated.

    `allow_builtins` names those of the withheld builtins (extproc.config.values.Builtin) that policies may call.
    `explain` logs, at level debug, what each policy prints and which rules applied: **it may quote bodies**, and it
    costs time.
    `memory_bytes` is the ceiling of Go's heap in this process; it collects harder from three quarters on, and above it
    evaluations are Overloaded; None: no ceiling.  `clock_ns` and `new_seed` make the Moment of each evaluation.
    """

    allow_builtins: tuple[str, ...] = ()
    explain: bool = False
    memory_bytes: int | None = None
    clock_ns: Callable[[], int] = time.time_ns
    new_seed: Callable[[], int] = _random_seed


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Prepared:
    """A compiled policy set; libopa drops it when the last evaluation that uses it has let go."""

    handle: int
    modules: Mapping[str, str]
    identity: PolicyIdentity


class _Job(asyncio.Future[Evaluation]):
    """A decision that is open; to cancel it is to withdraw it."""

    def __init__(
        self,
        prepared: _Prepared,
        point: Point,
        moment: Moment,
        *,
        loop: asyncio.AbstractEventLoop,
        withdraw: Callable[[int], None],
    ) -> None:
        super().__init__(loop=loop)
        self.prepared = prepared
        self.point = point
        self.moment = moment
        self.ticket = 0
        self._withdraw = withdraw

    @override
    def cancel(self, msg: object = None) -> bool:
        if cancelled := super().cancel(msg):
            self._withdraw(self.ticket)
        return cancelled

    def explain(self, answer: Answer) -> None:
        """Say what the policy had to say beside its answer."""
        if answer.notes:
            _LOG.debug("a policy explains", extra={"point": self.point.value, "notes": json.loads(answer.notes)})

    def settle(self, answer: Answer) -> None:
        """Tell the one who asked."""
        if self.cancelled():
            return
        if answer.error is not None:
            self.set_exception(answer.error)
            return
        moment, took_us = self.moment, answer.took_ns // 1000
        identity = self.prepared.identity
        self.set_result(Evaluation(answer.result, identity, took_us, time_ns=moment.time_ns, seed=moment.seed))


class EmbeddedEngine:
    """A PolicyEngine whose evaluations run on Go's threads and come back to the event loop that made it.

    `entrypoints` holds the policy path of each decision point, None where it is not asked.  `threads` evaluate at once;
    default: one for each CPU, and no fewer than THREADS.
    Raises PolicyLoadError; EngineError in a process that was forked from one that had loaded libopa.
    """

    def __init__(
        self,
        *,
        policies: PolicySet,
        entrypoints: Mapping[Point, str | None],
        threads: int | None = None,
        options: Options | None = None,
    ) -> None:
        points = {point: path.strip("/") for point, path in entrypoints.items() if path is not None}
        self._paths = list(points.values())
        self._index = {point: index for index, point in enumerate(points)}
        self._options = options or Options()
        self._library = library()
        if (ceiling := self._options.memory_bytes) is not None:
            self._library.tune(soft_bytes=ceiling * 3 // 4, ceiling_bytes=ceiling)
        self._prepared = self._prepare(policies)
        self._threads = threads or max(THREADS, self._library.cpus)
        self._open: dict[int, _Job] = {}
        self._withdrawn: set[int] = set()
        self._mean_ns = 0.0
        self._closed = False
        self._closing: asyncio.Future[None] | None = None
        self._answered = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._queue = self._library.open(self._threads)
        self._loop.add_reader(self._queue.descriptor, self._deliver)

    def _prepare(self, policies: PolicySet) -> _Prepared:
        specification = {
            "modules": orjson.Fragment(json.dumps(dict(policies.modules))),  # a path need not be UTF-8
            "data": orjson.Fragment(policies.data),
            "entrypoints": self._paths,
            "allow_builtins": self._options.allow_builtins,
            "explain": self._options.explain,
        }
        return self._keep(self._library.prepare(orjson.dumps(specification)), policies)

    def _keep(self, handle: int, policies: PolicySet) -> _Prepared:
        prepared = _Prepared(handle, policies.modules, self._identity_of(policies))
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
        """Decide by this policy set from now on; blocks while it compiles.  PolicyLoadError: the old one stays.

        Where the modules are the same, only the data document is replaced, and nothing is compiled.
        """
        current = self._prepared
        if policies.modules == current.modules:
            self._prepared = self._keep(self._library.replace_data(current.handle, policies.data), policies)
        else:
            self._prepared = self._prepare(policies)

    def serves(self, policies: PolicySet) -> bool:
        """Whether this policy set is the one that decides."""
        return self.identity() == self._identity_of(policies)

    def statistics(self) -> Statistics:
        """What libopa has evaluated in this process, and what it holds; it may wait for Go, so not on the loop."""
        return self._library.statistics()

    def identity(self) -> PolicyIdentity:
        """See PolicyEngine; an evaluation names the policy that really answered."""
        return self._prepared.identity

    def decide(self, question: Question, deadline_s: float) -> asyncio.Future[Evaluation]:
        """See PolicyEngine."""
        options, prepared = self._options, self._prepared  # once, for `replace` runs in another thread
        moment = Moment(options.clock_ns(), options.new_seed())
        job = _Job(prepared, question.point, moment, loop=self._loop, withdraw=self._withdraw)
        try:
            job.ticket = self._submit(job, question, int(min(deadline_s, _LONGEST_S) * 1e9))
        except ExchangeError as error:
            job.set_exception(error)
            return job
        self._open[job.ticket] = job
        return job

    def _submit(self, job: _Job, question: Question, timeout_ns: int) -> int:
        if self._closed:
            raise EngineError("the engine is closed")
        if job.point not in self._index:
            raise EngineError(f"no entrypoint is configured for the {job.point.value} point")
        waiting = len(self._open) - len(self._withdrawn) - self._threads
        if waiting > 0 and waiting * self._mean_ns / self._threads > timeout_ns:
            raise Overloaded(f"{waiting} decisions are waiting: the deadline cannot be met")
        handle, index = job.prepared.handle, self._index[job.point]
        ticket = self._queue.submit(handle, index, question.input, timeout_ns=timeout_ns, moment=job.moment)
        if not ticket:
            raise Overloaded(f"{MAX_LOST} evaluations that could not be stopped still run, or memory is out")
        return ticket

    def _withdraw(self, ticket: int) -> None:
        if not self._closed:
            self._queue.withdraw(ticket)
            self._withdrawn.add(ticket)

    def _deliver(self) -> None:
        """On the loop, while there are answers.  All are told before one is explained, for a log may raise."""
        answers = [(self._open.pop(answer.ticket), answer) for answer in self._queue.take()]
        for job, answer in answers:
            if answer.took_ns:
                self._mean_ns += SMOOTHING * (answer.took_ns - self._mean_ns)
            self._withdrawn.discard(answer.ticket)
            job.settle(answer)
        self._answered.set()
        for job, answer in answers:
            job.explain(answer)

    async def close(self) -> None:
        """See PolicyEngine; returns when what runs has ended, soon after its deadline if not before.

        It goes on where its caller is cancelled; a further call waits for the same end.
        """
        if self._closing is None:
            self._closed = True
            self._closing = asyncio.ensure_future(self._end())
        await asyncio.shield(self._closing)

    async def _end(self) -> None:
        for ticket in self._open:
            self._queue.withdraw(ticket)
        while self._open:
            self._answered.clear()
            await self._answered.wait()
        self._loop.remove_reader(self._queue.descriptor)
        self._queue.shut()
