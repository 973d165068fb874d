import asyncio
from dataclasses import replace

from prometheus_client import CollectorRegistry

from extproc.engines.answers import Statistics
from extproc.server.observation import observe_engine, show
from extproc.telemetry.metrics import metrics

FIRST = Statistics(
    results=5,
    undefined=1,
    failures={"deadline": 2, "memory": 0},
    lost=1,
    running=3,
    slow=1,
    handles=1,
    kept_bytes=10,
    heap_bytes=100,
    memory_bytes=1000,
    collections=4,
)


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """Every sample of the engine by its name and label."""
    return {
        sample.name.removeprefix("extproc_engine_") + sample.labels.get("outcome", ""): sample.value
        for family in registry.collect()
        if family.name.startswith("extproc_engine_") and family.name != "extproc_engine_errors"
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_counts_grow_by_what_is_new_and_gauges_are_what_is_now() -> None:
    registry = CollectorRegistry()
    meters = metrics(registry)
    show(meters, None, FIRST)
    later = replace(FIRST, results=7, failures={"deadline": 2, "memory": 4}, lost=2, running=0, heap_bytes=50)
    show(meters, FIRST, later)
    assert shown(registry) == {
        "evaluations_totalresult": 7,
        "evaluations_totalundefined": 1,
        "evaluations_totaldeadline": 2,
        "evaluations_totalmemory": 4,
        "evaluations_lost_total": 2,
        "evaluations_running": 0,
        "heap_bytes": 50,
        "memory_bytes": 1000,
        "kept_bytes": 10,
    }


def test_what_is_observed_again_is_not_counted_again() -> None:
    async def scenario() -> dict[str, float]:
        registry, asked = CollectorRegistry(), asyncio.Semaphore(0)
        loop = asyncio.get_running_loop()

        def statistics() -> Statistics:
            loop.call_soon_threadsafe(asked.release)
            return FIRST

        observing = asyncio.create_task(observe_engine(statistics, metrics(registry), every_s=0))
        for _ in range(3):
            await asked.acquire()
        observing.cancel()
        return shown(registry)

    assert asyncio.run(scenario())["evaluations_totalresult"] == 5
