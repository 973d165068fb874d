"""Waits that end in time, for one timer of the loop.

asyncio.timeout makes a timer for each wait and takes it back: some twenty calls, four times in an exchange, for what
almost never rings.  Here a wait is an entry in a table, and the loop has one timer, for the first that may ring.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

_T = TypeVar("_T")


class Alarms:
    """For one event loop.  A task has one wait at a time."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[object], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def by(self, due: float, awaited: Awaitable[_T]) -> _T:
        """What is awaited.  Raises TimeoutError, and cancels it, where it is not there at `due` on the loop's clock.

        As with asyncio.timeout_at, a task that somebody else cancels too stays cancelled.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        self._due[task] = due
        if self._timer is None or due < self._timer.when():
            self._set(due)
        try:
            return await awaited
        except asyncio.CancelledError:
            if task not in self._due and not task.uncancel():
                raise TimeoutError from None
            raise
        finally:
            self._due.pop(task, None)

    def ring(self, task: asyncio.Task[object]) -> None:
        """End the wait of this task now, as if its time were up; nothing where it waits no more."""
        if self._due.pop(task, None) is not None:
            task.cancel()

    def _set(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(due, self._ring)

    def _ring(self) -> None:
        now, self._timer = asyncio.get_running_loop().time(), None
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            task.cancel()
        if self._due:
            self._set(min(self._due.values()))
