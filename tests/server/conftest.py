from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from server.bench import Bench, Clock

from extproc.demo.collector import Collector
from extproc.evidence.cursor import CursorStore
from extproc.evidence.keys import create_signer
from extproc.server.delivery import Shipper
from extproc.server.shipper import Delivery
from extproc.telemetry.metrics import metrics
from extproc.telemetry.otlp import OtlpExporter, OtlpSettings


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    receiver = Collector()
    exporter = OtlpExporter(OtlpSettings(receiver.endpoint))
    yield Bench(tmp_path, create_signer(tmp_path / "key.pem"), receiver, exporter, CollectorRegistry())
    exporter.close()
    receiver.stop()


@pytest.fixture
def delivery(bench: Bench) -> Callable[[Clock], Delivery]:
    def make(clock: Clock) -> Delivery:
        counts = metrics(bench.registry)
        shipper = Shipper(
            directory=bench.directory, cursors=CursorStore(bench.directory), exporter=bench.exporter, metrics=counts
        )
        return Delivery(shipper=shipper, metrics=counts, time=clock.time())

    return make
