"""One supervised process: started by spawn, heard over its pipe, started again when it dies, drained at the end."""

import asyncio
import logging
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess

from extproc.server.control import ChildEnd, Drain, Failed, NotReady, ParentEnd, Ready

_LOG = logging.getLogger(__name__)
_SPAWN = get_context("spawn")
"""Never fork: libopa must be loaded in the process that uses it, and grpc's threads do not survive a fork."""
RESTART_S = 0.5
"""How long a process that died stays down: a crash loop must not eat the machine."""


class Child:
    """`target(control)` in a process of its own.

    `address` and `problem` are what it said last; `problem` is empty while it is ready.  `on_failure` hears the
    sentence of a process that could not start and never had; `on_death` the pid of every one that ended.
    """

    def __init__(
        self,
        name: str,
        target: Callable[[ChildEnd], None],
        *,
        on_failure: Callable[[str], None],
        on_death: Callable[[int], None],
    ) -> None:
        self.name = name
        self.address = ""
        self.problem = "starting"
        self._target = target
        self._on_failure = on_failure
        self._on_death = on_death
        self._draining = False
        self._was_ready = False
        self._ended = asyncio.Event()
        self._process: SpawnProcess
        self._control: ParentEnd

    def start(self) -> None:
        """Start the process and listen to it; for a running event loop.  Raises OSError."""
        ours, theirs = _SPAWN.Pipe()
        with theirs:
            process = _SPAWN.Process(target=self._target, args=(theirs,), name=self.name)
            try:
                process.start()
            except OSError:
                ours.close()
                raise
        self._control, self._process = ours, process
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control.fileno(), self._heard)
        loop.add_reader(self._process.sentinel, self._died)

    def retire(self) -> None:
        """Do not start it again when it ends (a signal may have gone to the whole process group), and say so."""
        self._draining, self.problem = True, "draining"

    async def drain(self, limit_s: float) -> None:
        """Ask it to finish; after `limit_s` seconds it is killed."""
        self.retire()
        if self._process.is_alive():
            try:
                self._control.send(Drain())
            except OSError:
                _LOG.debug("the process is gone already", extra={"child": self.name})
            try:
                await asyncio.wait_for(self._ended.wait(), limit_s)
            except TimeoutError:
                _LOG.warning("a process did not drain in time and is killed", extra={"child": self.name})
                await self.kill()

    async def kill(self) -> None:
        """End it at once: for one that loses nothing by it."""
        self.retire()
        if self._process.is_alive():
            self._process.kill()
            await self._ended.wait()

    def _heard(self) -> None:
        try:
            report = self._control.recv()
        except (EOFError, OSError):
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            return
        match report:
            case Ready(address=address):
                self.address, self.problem, self._was_ready = address, "", True
                _LOG.info("serving", extra={"child": self.name, "address": address})
            case NotReady(reason=reason):
                self.problem = reason
                _LOG.error("not ready", extra={"child": self.name, "reason": reason})
            case Failed(message=message):
                self.problem = message
                _LOG.error("cannot start", extra={"child": self.name, "reason": message})
                if not self._was_ready:
                    self._draining = True
                    self._on_failure(message)
            case _:
                raise TypeError(f"{self.name} said {type(report).__name__}")

    def _died(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._process.sentinel)
        if self._control.poll():
            self._heard()  # its last words
        loop.remove_reader(self._control.fileno())
        self._control.close()
        self._process.join()
        self._on_death(self._process.pid or 0)
        if self._draining:
            self._ended.set()
            return
        self.problem = "restarting"
        _LOG.error("a process died", extra={"child": self.name, "exit": self._process.exitcode})
        loop.call_later(RESTART_S, self._again)

    def _again(self) -> None:
        """Whatever the machine is short of may be there later, so this is tried for ever."""
        if self._draining:
            self._ended.set()
            return
        try:
            self.start()
        except OSError as error:
            self.problem = "cannot be restarted"
            _LOG.warning("a process cannot be restarted yet", extra={"child": self.name, "reason": str(error)})
            asyncio.get_running_loop().call_later(RESTART_S, self._again)
