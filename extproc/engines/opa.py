"""A real OPA server, over its REST API; nothing here sends it a policy."""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Self

from extproc.core.engine import Evaluation, PolicyIdentity, Question
from extproc.core.point import Point
from extproc.engines.opa_client import IN_FLIGHT, Client
from extproc.engines.rest import Answer, Modules, Provenance, read_answer, read_policies
from extproc.errors import ConfigurationError, EngineError, ExchangeError, Overloaded, PolicyLoadError

REFRESH_S = 2.0
"""How old the identity in a receipt can be."""
START_S = 5.0
_LOG = logging.getLogger(__name__)
_ENTRYPOINT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")


async def _survey(client: Client) -> tuple[Provenance, Modules]:
    """What the server is and what it holds.  Raises ExchangeError."""
    due = asyncio.get_running_loop().time() + START_S
    version = await client.read("data/system/version?provenance=true", due)
    provenance = read_answer(version.status, version.body).provenance
    if provenance is None:
        raise EngineError("the answer has no provenance")
    policies = await client.read("policies", due)
    # In a thread, for the syntax trees that come along can be large.
    modules = await asyncio.to_thread(read_policies, policies.status, policies.body, provenance.bundles)
    return provenance, modules


class OpaEngine:
    """A PolicyEngine whose queries run on the worker's own loop: a loop in a thread would cost two hand-offs for each.

    The identity is read from the server every REFRESH_S.  A decision names the version and the bundles' revision that
    answered it; `policy_digest` is empty while it is not known for that revision.  `data_digest` is always empty: a
    server gives its base documents only together with the value of every rule.  `duration_us` is the whole query as
    seen from here.
    """

    def __init__(
        self, client: Client, entrypoints: Mapping[Point, str], known: PolicyIdentity, resources: AsyncExitStack
    ) -> None:
        self._client = client
        self._entrypoints = entrypoints
        self._known, self._current = known, True
        self._resources = resources
        self._loop = asyncio.get_running_loop()
        self._open = 0

    @classmethod
    async def connect(
        cls,
        *,
        url: str,
        entrypoints: Mapping[Point, str | None],
        on_change: Callable[[PolicyIdentity], None],
        refresh_s: float = REFRESH_S,
    ) -> Self:
        """An engine on the running loop; `on_change` gets the identity of a policy that was not there before.

        Raises ConfigurationError for a URL or an entrypoint that is none, PolicyLoadError where no OPA answers or no
        policy of its defines an entrypoint.
        """
        points = {point: path for point, path in entrypoints.items() if path is not None}
        for path in points.values():
            if not _ENTRYPOINT.fullmatch(path):
                raise ConfigurationError(f"policy.points: {path} must be a path such as extproc/request/decision")
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(Client(url))
            identity = await _first_identity(client, url, points.values())
            engine = cls(client, points, identity, stack.pop_all())
        refresh = asyncio.create_task(engine._refresh(on_change, refresh_s))
        refresh.add_done_callback(_refresh_ended)
        engine._resources.callback(refresh.cancel)
        return engine

    async def _refresh(self, on_change: Callable[[PolicyIdentity], None], refresh_s: float) -> None:
        while True:
            await asyncio.sleep(refresh_s)
            try:
                provenance, modules = await _survey(self._client)
            except ExchangeError as error:
                self._unread(error)
                continue
            self._current = True
            identity = provenance.identity(modules.policy_digest)
            if identity != self._known:
                self._known = identity
                on_change(identity)

    def _unread(self, error: ExchangeError) -> None:
        """What OPA holds now is not known; said once, for decisions may go on."""
        if self._current:
            self._current = False
            _LOG.warning("what OPA holds cannot be read: no policy_digest in receipts", extra={"reason": str(error)})

    def identity(self) -> PolicyIdentity:
        """See PolicyEngine; up to REFRESH_S old."""
        return self._known

    def decide(self, question: Question, deadline_s: float) -> asyncio.Future[Evaluation]:
        """See PolicyEngine.  `question.input` is trusted to be one JSON value."""
        due = self._loop.time() + deadline_s
        try:
            path = self._admit(question.point, deadline_s)
        except ExchangeError as error:
            return self._failed(error)
        self._open += 1
        query = self._loop.create_task(self._evaluate(path, question.input, due))
        query.add_done_callback(self._leave)
        return query

    def _failed(self, error: ExchangeError) -> asyncio.Future[Evaluation]:
        future: asyncio.Future[Evaluation] = self._loop.create_future()
        future.set_exception(error)
        return future

    def _admit(self, point: Point, deadline_s: float) -> str:
        if point not in self._entrypoints:
            raise EngineError(f"no entrypoint is configured for the {point.value} point")
        waiting = max(0, self._open - IN_FLIGHT)
        if waiting * self._client.mean_ns / IN_FLIGHT > deadline_s * 1e9:
            raise Overloaded(f"{waiting} decisions are waiting: the deadline cannot be met")
        return self._entrypoints[point]

    def _leave(self, _: asyncio.Task[Evaluation]) -> None:
        self._open -= 1

    async def _evaluate(self, path: str, document: bytes, due: float) -> Evaluation:
        reply = await self._client.query(path, document, due)
        answer = read_answer(reply.status, reply.body)
        return Evaluation(answer.result, self._identity_of(answer), reply.took_ns // 1000, answer.decision_id)

    def _identity_of(self, answer: Answer) -> PolicyIdentity:
        """What a receipt may say: only a revision tells that the modules which answered are those that were read."""
        known, provenance = self._known, answer.provenance
        if provenance is None:
            return replace(known, revision="", policy_digest="")
        same = (provenance.version, provenance.revision) == (known.engine_version, known.revision)
        certain = same and known.revision and self._current
        return provenance.identity(known.policy_digest if certain else "")

    async def close(self) -> None:
        """See PolicyEngine."""
        await self._resources.aclose()


async def _first_identity(client: Client, url: str, entrypoints: Iterable[str]) -> PolicyIdentity:
    """Raises PolicyLoadError where the server does not answer as OPA does, or holds no rule for an entrypoint."""
    try:
        provenance, modules = await _survey(client)
    except ExchangeError as error:
        raise PolicyLoadError(
            f"policy.opa.url: no OPA answers at {url} ({error}): start it with `opa run --server --bundle POLICIES`"
        ) from error
    for path in entrypoints:
        if not modules.define(path):
            raise PolicyLoadError(f"no policy of the OPA server at {url} defines the entrypoint {path}")
    return provenance.identity(modules.policy_digest)


def _refresh_ended(refresh: asyncio.Task[None]) -> None:
    """OPA goes on deciding; that a change of its policy will not be seen must not go unheard."""
    if not refresh.cancelled() and (error := refresh.exception()) is not None:
        _LOG.error("OPA's policies are no longer read: restart to name a change", exc_info=error)
