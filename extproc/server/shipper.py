"""The shipper process: it delivers receipts until it is told to stop, and then what is left, while the grace lasts."""

import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Final

from prometheus_client import REGISTRY

from extproc.config import Settings
from extproc.errors import StartupError
from extproc.evidence.cursor import CursorStore
from extproc.server.control import Drain, Failed, Report
from extproc.server.delivery import Shipper
from extproc.telemetry.logs import configure
from extproc.telemetry.metrics import Metrics, metrics
from extproc.telemetry.otlp import ExportError, OtlpExporter, settings_from_env

GRACE_S: Final = 10.0  # after the workers' 10 s, within Kubernetes' default of 30 s
IDLE_S: Final = 0.2  # what a receipt waits for the next look at the logs
FIRST_RETRY_S: Final = 0.25
LAST_RETRY_S: Final = 10.0  # so a collector that is back has everything flowing again within 10 s
OBSERVE_EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Time:
    """The clocks and the dice of the process; a test gives its own."""

    now: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]


class Delivery:
    """Repeats the shipper's passes: at once while there is more, after a growing wait while the collector is away."""

    def __init__(self, *, shipper: Shipper, metrics: Metrics, time: Time) -> None:
        """Start without a wait."""
        self._shipper = shipper
        self._metrics = metrics
        self._time = time
        self._retry_s = FIRST_RETRY_S
        self._observe_at_s = time.monotonic()

    def run(self, stop: Callable[[float], bool], grace_s: float) -> int:
        """Deliver until `stop`, which waits so many seconds and says whether to end; then drain.

        Returns the number of receipts that are left in the log.
        """
        delay_s: float | None = 0.0
        while not stop(IDLE_S if delay_s is None else delay_s):
            delay_s = self.step()
        return self.drain(grace_s)

    def drain(self, grace_s: float) -> int:
        """Deliver until the log is empty or the grace is over; logs and returns what is left."""
        deadline_s = self._time.monotonic() + grace_s
        delay_s: float | None = 0.0
        while delay_s is not None and (left_s := deadline_s - self._time.monotonic()) > 0:
            self._time.sleep(min(delay_s, left_s))
            delay_s = self.step(left_s)
        remaining = self._shipper.observe(self._time.now())
        level = logging.WARNING if remaining else logging.INFO
        _log.log(level, "the shipper ends; what is left is shipped at the next start", extra={"unshipped": remaining})
        return remaining

    def step(self, timeout_s: float | None = None) -> float | None:
        """Make one pass; returns the seconds to wait before the next, None where nothing is left to ship.

        Whatever keeps a batch from its place is logged and tried again for ever, with an exponential wait of which half
        is random, so that many shippers do not meet a restarted collector at the same moment.
        """
        delay_s: float | None
        try:
            shipped = self._shipper.ship_once(timeout_s)
        except ExportError as error:
            self._metrics.export_errors.labels(error.status).inc()
            delay_s = self._failed(error)
        except OSError as error:
            delay_s = self._failed(error)
        else:
            self._retry_s = FIRST_RETRY_S
            delay_s = 0.0 if shipped else None
        self._observe()
        return delay_s

    def _failed(self, error: Exception) -> float:
        delay_s = self._retry_s * (1 + self._time.random()) / 2
        self._retry_s = min(LAST_RETRY_S, self._retry_s * 2)
        _log.warning("receipts wait: %s", error, extra={"retry_s": round(delay_s, 3)})
        return delay_s

    def _observe(self) -> None:
        if self._time.monotonic() >= self._observe_at_s:
            self._shipper.observe(self._time.now())
            self._observe_at_s = self._time.monotonic() + OBSERVE_EVERY_S


class Stop:
    """Hears the supervisor (a message, or its end, on the pipe) and SIGTERM.  For the main thread."""

    def __init__(self, control: "Connection[Report, Drain]") -> None:
        """Take over SIGTERM; an interrupt from a terminal is the supervisor's to answer."""
        self._heard, speak = Pipe(duplex=False)
        self._control = control
        signal.signal(signal.SIGTERM, lambda *_: speak.send_bytes(b""))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def __call__(self, delay_s: float) -> bool:
        """Wait so many seconds, or until told to end: then True, now and ever after."""
        return bool(wait([self._control, self._heard], timeout=delay_s))


def main(settings: Settings, control: "Connection[Report, Drain]") -> None:
    """Run the shipper; `control` is the pipe to the supervisor: Drain, or its end, lets the shipper drain and end."""
    configure(settings.log.level, settings.log.format, sys.stderr)
    stop = Stop(control)
    try:
        exporter = OtlpExporter(settings_from_env(os.environ, str(settings.telemetry.otlp.endpoint)))
        cursors = CursorStore(settings.evidence.directory)
    except StartupError as error:
        control.send(Failed(str(error)))
        return
    counts = metrics(REGISTRY)
    shipper = Shipper(directory=settings.evidence.directory, cursors=cursors, exporter=exporter, metrics=counts)
    clocks = Time(
        now=time.time,  # noqa: TID251 - this is a process main
        monotonic=time.monotonic,
        sleep=time.sleep,
        random=random.random,
    )
    Delivery(shipper=shipper, metrics=counts, time=clocks).run(stop, GRACE_S)
    exporter.close()
