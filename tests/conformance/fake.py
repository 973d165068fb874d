"""The rows against the fake Envoy and the real service, in one process, without a socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import thread_time_ns

import yaml
from conformance import fake_envoy
from conformance.exchange import Row, Seen
from conformance.real import Log, settings_document
from prometheus_client import CollectorRegistry

from extproc.config import load_settings
from extproc.core.budget import MemoryBudget
from extproc.core.receipt import Issuer
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import load
from extproc.evidence.keys import create_signer, pseudonym
from extproc.evidence.ledger import Ledger
from extproc.evidence.wal import WalWriter
from extproc.istio.gateway import Gateway, TcpAddress
from extproc.istio.mapping import gateway_of
from extproc.server.service import Service
from extproc.server.translation import rules_of
from extproc.telemetry.metrics import metrics


class FakeStage:
    """One configuration, in memory but for the log."""

    def __init__(self, gateway: Gateway, service: Service, log: Log) -> None:
        self.gateway, self.service, self.log = gateway, service, log

    async def play(self, row: Row) -> Seen:
        client, reached = await fake_envoy.exchange(self.gateway, self.service.serve, row.request, row.answer)
        return Seen(client, reached, tuple(self.log.news()))


@asynccontextmanager
async def fake_stage(folder: Path, config: dict) -> AsyncIterator[FakeStage]:
    """Everything built, and let go of at the end."""
    file = folder / "extproc.yaml"
    file.write_text(yaml.safe_dump(settings_document(folder, config)))
    settings = load_settings(file)
    rules = rules_of(settings)
    engine = EmbeddedEngine(policies=load(settings.policy.paths, {}), entrypoints=rules.entrypoints)
    signer, ids = create_signer(folder / "signing.pem"), count()
    ledger = Ledger(
        signer=signer,
        wal=WalWriter(folder / "evidence", "fake", on_loss=print),
        issuer=Issuer("extproc", "fake", "0", signer.kid),
        pseudonym=pseudonym(b"k" * 32),
        clock=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        new_receipt_id=lambda: f"{next(ids):08}-0000-7000-8000-000000000000",
        new_trace_id=lambda: "a" * 32,
        new_span_id=lambda: "b" * 16,
    )
    service = Service(
        rules=rules,
        engine=engine,
        ledger=ledger,
        budget=MemoryBudget(settings.inspection.memory_bytes),
        cpu_ns=thread_time_ns,
        metrics=metrics(CollectorRegistry()),
        new_trace_id=lambda: "a" * 32,
        deadline_s=settings.policy.deadline_ms / 1000,
        allow_unrecorded=False,
    )
    nowhere = TcpAddress("127.0.0.1", 0)
    gateway = gateway_of(settings, listen=nowhere, upstream=nowhere, admin=nowhere, otlp=None)
    try:
        yield FakeStage(gateway, service, Log(folder / "evidence"))
    finally:
        await engine.close()
