"""What is shown among the metrics from time to time: what is open, and what libopa says of itself."""

import asyncio
from collections.abc import Callable

from extproc.core.budget import MemoryBudget
from extproc.engines.answers import Statistics
from extproc.server.service import Service
from extproc.telemetry.metrics import Metrics


async def observe_open(service: Service, budget: MemoryBudget, meters: Metrics, every_s: float) -> None:
    """Show what is open until cancelled: gauges that moved with each message would cost more than their reader sees."""
    while True:
        meters.exchanges_in_flight.set(service.in_flight)
        meters.body_bytes_held.set(budget.current)
        await asyncio.sleep(every_s)


async def observe_engine(statistics: Callable[[], Statistics], meters: Metrics, every_s: float) -> None:
    """Show them again and again, until it is cancelled; in a thread, for a busy Go keeps who asks it waiting."""
    before: Statistics | None = None
    while True:
        now = await asyncio.to_thread(statistics)
        show(meters, before, now)
        before = now
        await asyncio.sleep(every_s)


def show(meters: Metrics, before: Statistics | None, now: Statistics) -> None:
    """Count what is new since `before`, and set what is so now.  Without `before` all of it is new."""
    known = _outcomes(before) if before else {}
    for outcome, number in _outcomes(now).items():
        meters.engine_evaluations.labels(outcome).inc(number - known.get(outcome, 0))
    meters.engine_evaluations_lost.inc(now.lost - (before.lost if before else 0))
    meters.engine_evaluations_running.set(now.running)
    meters.engine_heap_bytes.set(now.heap_bytes)
    meters.engine_memory_bytes.set(now.memory_bytes)
    meters.engine_kept_bytes.set(now.kept_bytes)


def _outcomes(statistics: Statistics) -> dict[str, int]:
    return {"result": statistics.results, "undefined": statistics.undefined, **statistics.failures}
