"""docs/metrics.md against what is registered."""

from docs.page import Page
from prometheus_client import CollectorRegistry

from extproc.telemetry.metrics import MAX_SERIES, metrics

PAGE = "metrics.md"


def test_every_metric_is_listed_with_its_type_and_labels(page: Page) -> None:
    registry = CollectorRegistry()
    ours = metrics(registry)
    labels = {
        metric._name: metric._labelnames  # noqa: SLF001 - prometheus_client has no other way to ask
        for metric in (getattr(ours, name) for name in ours.__slots__ if not name.startswith("_"))
    }
    listed = {name: [cells[0], cells[1].replace("`", "")] for name, cells in page.table("| metric | type |").items()}
    assert listed == {
        family.name + ("_total" if family.type == "counter" else ""): [family.type, ", ".join(labels[family.name])]
        for family in registry.collect()
    }


def test_the_cap_of_the_series_is_named(page: Page) -> None:
    assert f"after {MAX_SERIES} combinations" in page.text
