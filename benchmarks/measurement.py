"""One run of one work against one server: what the kernel counted for each part, per exchange."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.accounting import cpu_ns, rss_bytes, threads_cpu_ns
from benchmarks.load import Load, LoadError, drive
from benchmarks.rig import ENGINE, SERVER, SHIPPER, Rig, Subject
from benchmarks.works import Work
from extproc.engines.library import THREADS_NAME

_SETTLE_S = 0.1
_IDLE_NS = 5_000_000
"""Of CPU in _SETTLE_S: health checks, the shipper's look at the logs, and the supervisor's answers to us."""
_PATIENCE_S = 120.0
_DECISIONS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """`cpu_us` is per exchange and by part, `rss_bytes` by part at the end.

    `evaluation_us` is what our worker's own histogram says of both decisions of an exchange: wall time, 0 for a server
    that decides nothing.
    """

    load: Load
    cpu_us: Mapping[str, float]
    rss_bytes: Mapping[str, int]
    evaluation_us: float


async def measure(rig: Rig, subject: Subject, work: Work, concurrency: int, exchanges: int) -> Run:
    """Let the servers come to rest, drive the load, and read the accounts; the shipper's once all has arrived.

    Raises LoadError where an exchange was not answered with 200, did not leave two decisions and two receipts, or
    its receipts do not arrive.
    """
    await _rest(rig)
    pages = await _page(subject)
    before = _cpu_ns(subject)
    load = await drive(subject.address, work, concurrency=concurrency, exchanges=exchanges, folder=rig.folder)
    after = _cpu_ns(subject)
    rss = {part: rss_bytes(pid) for part, pid in subject.pids.items()}
    evaluation_us = 0.0
    if subject.admin:
        page = await _shipped(subject)
        after[SHIPPER] = cpu_ns(subject.pids[SHIPPER])
        gained = {name: value - pages.get(name, 0.0) for name, value in page.items()}
        _check(gained, load)
        evaluation_us = gained["extproc_decision_duration_seconds_sum"] * 1e6 / load.exchanges
    cpu_us = {part: (after[part] - before[part]) / 1000 / load.exchanges for part in after}
    return Run(load, cpu_us, rss, evaluation_us)


def _cpu_ns(subject: Subject) -> dict[str, int]:
    parts = {part: cpu_ns(pid) for part, pid in subject.pids.items()}
    return {**parts, ENGINE: threads_cpu_ns(subject.pids[SERVER], THREADS_NAME)}


def _check(gained: Mapping[str, float], load: Load) -> None:
    expected = float(_DECISIONS * load.exchanges)
    names = ("extproc_decision_duration_seconds_count", "extproc_receipts_written_total")
    if any(gained[name] != expected for name in names):
        seen = {name: gained[name] for name in names}
        raise LoadError(f"{load.exchanges} exchanges must leave {expected:.0f} decisions and receipts, not {seen}")


async def _rest(rig: Rig) -> None:
    """Wait until nothing of an earlier run is left to do."""
    pids = [pid for subject in (rig.empty, rig.least, rig.extproc) for pid in subject.pids.values()]
    give_up_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_s:
        before = sum(map(cpu_ns, pids))
        await asyncio.sleep(_SETTLE_S)
        if sum(map(cpu_ns, pids)) - before < _IDLE_NS:
            return
    raise LoadError(f"the servers are still busy {_PATIENCE_S:.0f} s after the last exchange")


async def _shipped(subject: Subject) -> dict[str, float]:
    """The metrics once every receipt has arrived at the collector."""
    give_up_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < give_up_s:
        page = await _page(subject)
        if page.get("extproc_receipts_shipped_total", 0.0) == page["extproc_receipts_written_total"]:
            return page
        await asyncio.sleep(_SETTLE_S)
    raise LoadError(f"receipts are still unshipped after {_PATIENCE_S:.0f} s")


async def _page(subject: Subject) -> dict[str, float]:
    """Every metric, summed over its labels; nothing for a server that has none."""
    if not subject.admin:
        return {}
    async with aiohttp.ClientSession() as session, session.get(f"http://{subject.admin}/metrics") as answer:
        text = await answer.text()
    totals: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            totals[sample.name] = totals.get(sample.name, 0.0) + sample.value
    return totals
