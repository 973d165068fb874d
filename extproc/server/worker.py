"""The process main of a worker: wires the rooms together and serves until it is told to drain or its parent is gone."""

import asyncio
import gc
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import thread_time_ns

import uuid_utils
from prometheus_client import REGISTRY

from extproc import __version__
from extproc.config import Settings
from extproc.core.budget import MemoryBudget
from extproc.core.engine import PolicyEngine, PolicyIdentity
from extproc.core.receipt import Issuer
from extproc.engines.opa import OpaEngine
from extproc.engines.watch import watch
from extproc.errors import StartupError
from extproc.evidence.keys import parse_signer, pseudonym
from extproc.evidence.ledger import Ledger
from extproc.evidence.wal import Loss, WalWriter
from extproc.server.control import ChildEnd, Failed, NotReady, Ready
from extproc.server.driver import Driver
from extproc.server.health import Health
from extproc.server.observation import observe_engine, observe_open
from extproc.server.policies import bundle_keys, embedded_engine
from extproc.server.rotation import mutual_tls
from extproc.server.service import Service
from extproc.server.translation import STREAMS, receive_limit_bytes, rules_of, worker_address
from extproc.telemetry.logs import configure
from extproc.telemetry.metrics import Metrics, metrics

NOTICE_S = 2.5
"""NOT_SERVING is shown this long before streams are refused: Envoy's health check needs two looks, a second apart."""
GRACE_S = 10.0
PROBE_S = 1.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the supervisor read at the start, for every worker that will ever run: a file may change in the meantime.

    `signing` is the private key in PEM, `file` where it was, `hmac` the key of the pseudonyms.
    """

    file: Path
    signing: bytes = field(repr=False)
    hmac: bytes = field(repr=False)


def main(settings: Settings, keys: Keys, index: int, control: ChildEnd) -> None:
    """Run one worker; `control` is the pipe to the supervisor."""
    configure(settings.log.level, settings.log.format, sys.stderr)
    # A strict reader's short-lived trees make the collector run for nothing: two to three times the cost of deep JSON.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        asyncio.run(_run(settings, keys, index, control))
    except StartupError as error:
        control.send(Failed(str(error)))


async def _run(settings: Settings, keys: Keys, index: int, control: ChildEnd) -> None:
    ended = _until_told(control)
    meters = metrics(REGISTRY)
    async with _engine(settings, meters) as engine, mutual_tls(settings.tls, meters, _now) as tls:
        ledger = _ledger(settings, keys, index, meters)  # after the engine: a policy that cannot be loaded opens no log
        required = settings.evidence.on_failure == "deny"
        budget = MemoryBudget(settings.inspection.memory_bytes)
        service = Service(
            rules=rules_of(settings),
            engine=engine,
            ledger=ledger,
            budget=budget,
            cpu_ns=thread_time_ns,
            metrics=meters,
            new_trace_id=_new_trace_id,
            deadline_s=settings.policy.deadline_ms / 1000,
            allow_unrecorded=not required,
        )
        driver = Driver(
            handler=service.serve,
            receive_limit_bytes=receive_limit_bytes(settings),
            streams=STREAMS,
            make_room=service.make_room,
            tls=tls,
        )
        health = Health(driver.server)
        await health.set(serving=False)  # until the first probe: the servicer itself begins with SERVING
        address = await driver.listen(worker_address(settings.listen, index, settings.workers))
        async with asyncio.TaskGroup() as tasks:
            readiness = tasks.create_task(
                _report_readiness(ledger, health, control, address, evidence_required=required)
            )
            observation = tasks.create_task(observe_open(service, budget, meters, PROBE_S))
            await ended.wait()
            readiness.cancel()
            observation.cancel()
            await health.set(serving=False)
            await asyncio.sleep(NOTICE_S)
            await driver.stop(GRACE_S)


def _until_told(control: ChildEnd) -> asyncio.Event:
    """Set by SIGTERM, or by the supervisor: what it sends, and the end of the pipe, both mean drain."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # a terminal sends it to the whole group; the parent decides

    def heard() -> None:
        loop.remove_reader(control.fileno())
        ended.set()

    loop.add_reader(control.fileno(), heard)
    return ended


async def _report_readiness(
    ledger: Ledger, health: Health, control: ChildEnd, address: str, *, evidence_required: bool
) -> None:
    """Ready while receipts can be written; asked again each second, for without traffic nothing else finds out.

    Where the operator lets traffic pass without evidence, its want is no reason for the gateway to look elsewhere.
    """
    ready: bool | None = None
    while True:
        if (now := ledger.probe() or not evidence_required) is not ready:
            ready = now
            await health.set(serving=ready)
            control.send(Ready(address) if ready else NotReady("receipts cannot be written"))
        await asyncio.sleep(PROBE_S)


def _engine(settings: Settings, meters: Metrics) -> AbstractAsyncContextManager[PolicyEngine]:
    """The configured engine, with its policies loaded and watched."""
    match settings.policy.engine:
        case "embedded":
            return _embedded(settings, meters)
        case "opa":
            return _opa(settings, meters)


@asynccontextmanager
async def _opa(settings: Settings, meters: Metrics) -> AsyncIterator[PolicyEngine]:
    policy = settings.policy
    engine = await OpaEngine.connect(
        url=str(policy.opa.url), entrypoints=rules_of(settings).entrypoints, on_change=partial(_loaded, meters)
    )
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def _embedded(settings: Settings, meters: Metrics) -> AsyncIterator[PolicyEngine]:
    policy = settings.policy
    engine = embedded_engine(settings)

    def outcome(news: PolicyIdentity | StartupError) -> None:
        if isinstance(news, StartupError):
            meters.policy_reloads.labels("failed").inc()
            _LOG.error("the changed policy is not used, the last good one stays", extra={"reason": str(news)})
        else:
            _loaded(meters, news)

    watcher = asyncio.create_task(
        watch(
            engine=engine,
            paths=policy.paths,
            data=policy.data,
            bundle_keys=bundle_keys(settings),
            on_outcome=outcome,
        )
    )
    watcher.add_done_callback(partial(_ended, "policies are no longer watched: restart to load a change"))
    observer = asyncio.create_task(observe_engine(engine.statistics, meters, PROBE_S))
    observer.add_done_callback(partial(_ended, "the engine is no longer observed: its metrics stay as they are"))
    try:
        yield engine
    finally:
        watcher.cancel()
        observer.cancel()
        await asyncio.gather(watcher, observer, return_exceptions=True)  # one that has failed has said so
        await engine.close()


def _ended(meaning: str, task: asyncio.Task[None]) -> None:
    """The loaded policy goes on deciding without the task; that it has ended must not go unheard."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error(meaning, exc_info=error)


def _loaded(meters: Metrics, identity: PolicyIdentity) -> None:
    meters.policy_reloads.labels("loaded").inc()
    _LOG.info("policy loaded", extra={"policy_digest": identity.policy_digest, "revision": identity.revision})


def _ledger(settings: Settings, keys: Keys, index: int, meters: Metrics) -> Ledger:
    signer = parse_signer(keys.signing, keys.file)
    instance = socket.gethostname()
    origin = f"{instance[:32]}-w{index}-{_now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
    return Ledger(
        signer=signer,
        wal=WalWriter(
            settings.evidence.directory,
            origin,
            on_loss=partial(_lost, meters),
            durability=settings.evidence.durability,
        ),
        issuer=Issuer("extproc", f"{instance}-w{index}", __version__, signer.kid),
        pseudonym=pseudonym(keys.hmac),
        clock=_now,
        new_receipt_id=lambda: str(uuid_utils.uuid7()),
        new_trace_id=_new_trace_id,
        new_span_id=lambda: os.urandom(8).hex(),
    )


def _lost(meters: Metrics, loss: Loss) -> None:
    """Answers that relied on receipts have left, and the receipts may be gone: nothing else would ever say so."""
    meters.lost_segments.inc()
    gone = f"{loss.first} to {loss.first + loss.lines - 1}" if loss.lines else "none"
    _LOG.error(
        "somebody else harmed a log: receipts are gone, or may be",
        extra={"segment": loss.segment, "reason": loss.harm, "receipts": gone},
    )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the worker is where the clock is read


def _new_trace_id() -> str:
    return os.urandom(16).hex()
