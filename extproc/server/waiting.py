"""Who awaits the rest of a body, and who of them has to go when others need the place.

A body that never comes costs its sender nothing.  Such exchanges may fill a worker, but they must not keep out one that
has come whole: whoever has waited longest is given up for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from extproc.server.alarms import Alarms
from extproc.telemetry.metrics import Metrics

BODY_S = 300.0
"""How long a body may take, beyond Envoy's own `request_timeout`: what is never whole must not be held for ever."""
_LOG = logging.getLogger(__name__)


class Waiting:
    """The exchanges of a worker that await a message of a body, longest first."""

    def __init__(self, *, alarms: Alarms, metrics: Metrics, limit_s: float) -> None:
        self._alarms = alarms
        self._metrics = metrics
        self._limit_s = limit_s
        self._since: dict[asyncio.Task[object], float] = {}

    async def wait(self, read: Callable[[], Awaitable[bytes | None]]) -> bytes | None:
        """What `read` answers; None where it takes too long, and where the exchange was given up meanwhile."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        message, now = None, monotonic()
        self._since[task] = now
        try:
            message = await self._alarms.by(now + self._limit_s, read())
        except TimeoutError:
            if task in self._since:
                _LOG.warning("a body did not come in time", extra={"limit_s": self._limit_s})
        finally:
            given_up = self._since.pop(task, None) is None
        # A message that comes just then is late: somebody counts on the place.
        return None if given_up else message

    def give_up_longest(self) -> bool:
        """Let the exchange go that has waited longest; False where none waits.  Its place is free a moment later."""
        task = next(iter(self._since), None)
        if task is None:
            return False
        waited_s = monotonic() - self._since.pop(task)
        self._alarms.ring(task)
        _LOG.warning("a body is awaited no longer: others need its place", extra={"waited_s": round(waited_s, 3)})
        self._metrics.exchanges_given_up.inc()
        return True
