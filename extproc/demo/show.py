"""The performance: start everything, send the story, wait for the evidence, show all of it, and judge it."""

import asyncio
import json
import shutil
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic

import aiohttp
from rich.console import Console
from rich.text import Text

from extproc.core.events import JSON
from extproc.demo.keep import stay
from extproc.demo.progress import Progress
from extproc.demo.proof import Evidence, receipt_ids
from extproc.demo.report import Row, banner, complaints, log_tail, results, summary, traces
from extproc.demo.stage import EngineName, Stage, forget_surroundings, stage
from extproc.demo.story import Exchange, Observed
from extproc.demo.traces import attributes_of, trees
from extproc.demo.upstream import Arrival
from extproc.errors import StartupError, VerificationError
from extproc.evidence.keys import load_key_ring

_ANSWER_S = 15.0
_DELIVERY_S = 10.0
_LOOK_S = 0.02
_SNIPPET = 60


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the client and the upstream saw; a connection that broke is status 0."""

    status: int
    message: str
    receipt_id: str
    arrival: Arrival | None


async def perform(story: Sequence[Exchange], console: Console, *, engine: EngineName, keep: bool) -> bool:
    """Play the story; True where every exchange went as expected.

    What it wrote is removed at the end, unless something went wrong or `keep` was asked for.  SIGTERM and SIGINT stop
    everything that runs.  Raises StartupError where the stage does not stand.
    """
    folder = Path(mkdtemp(prefix="extproc-demo-"))
    forget_surroundings()
    _cancel_on_sigterm()
    console.print(banner())
    progress = Progress(console)
    try:
        async with AsyncExitStack() as stack:
            scene = await stack.enter_async_context(stage(folder, engine, progress))
            well = await _play(scene, story, console, progress)
            if keep:
                await stay(scene, story, console)
            with progress.step("everything stopped"):
                await stack.aclose()
    except StartupError:
        console.print(Text(f"what was written until then lies in {folder}", "yellow"))
        raise
    except asyncio.CancelledError:
        console.print(Text("interrupted; everything is stopped", "yellow"))
        well = False
    if well and not keep:
        shutil.rmtree(folder)
    else:
        console.print(Text(f"receipts, logs and configurations stay in {folder}", "dim"))
    return well


def _cancel_on_sigterm() -> None:
    """End like by SIGINT, so that nothing that was started is left behind."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _play(scene: Stage, story: Sequence[Exchange], console: Console, progress: Progress) -> bool:
    with progress.step(f"{len(story)} exchanges") as say:
        answers = [await _send(exchange, scene) for exchange in story]
        say("sent one after the other")
    with progress.step("receipts and spans, delivered") as say:
        await _delivered(scene)
        say(f"{len(scene.collector.spans())} spans")
    ring = load_key_ring(scene.pinned)
    try:
        evidence = Evidence(scene.receipts, scene.collector.spans(), ring)
    except VerificationError as error:
        console.print(Text(f"✗ the evidence does not hold: {error}", "bold red"))
        _show_logs(scene, console)
        return False
    rows = [_row(exchange, answer, evidence, scene) for exchange, answer in zip(story, answers, strict=True)]
    console.print(results(rows))
    console.print(traces(rows, scene.collector.received()))
    console.print()
    console.print(summary(rows, evidence.verified, next(iter(ring.kids)), progress.seconds))
    if any(row.differences for row in rows):
        console.print(complaints(rows))
        _show_logs(scene, console)
        return False
    return True


def _row(exchange: Exchange, answer: _Answer, evidence: Evidence, scene: Stage) -> Row:
    observed = Observed(
        status=answer.status,
        message=answer.message,
        receipt_id=answer.receipt_id,
        arrival=answer.arrival,
        engine=scene.engine,
        proofs=evidence.proofs(answer.receipt_id),
    )
    return Row(exchange, observed)


async def _send(exchange: Exchange, scene: Stage) -> _Answer:
    """One exchange on a connection of its own, so that a refused body cannot disturb the next one."""
    before = len(scene.upstream.arrivals)
    headers = {"content-type": exchange.content_type} if exchange.content_type else {}
    timeout = aiohttp.ClientTimeout(total=_ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(f"http://{scene.envoy.address}", timeout=timeout) as session,
            session.request(exchange.method, exchange.path, data=exchange.body or None, headers=headers) as answer,
        ):
            status, text = answer.status, await answer.text()
            receipt_id = answer.headers.get("x-extproc-receipt-id", "")
    except (aiohttp.ClientError, TimeoutError) as error:
        status, text, receipt_id = 0, f"{type(error).__name__}: {error}", ""
    arrivals = scene.upstream.arrivals[before:]
    return _Answer(status, _message(text), receipt_id, arrivals[0] if arrivals else None)


def _message(text: str) -> str:
    """The detail of a problem document, else the beginning of what there is."""
    with suppress(ValueError):
        document: JSON = json.loads(text)
        if isinstance(document, dict) and isinstance(detail := document.get("detail"), str):
            return detail
    return text if len(text) <= _SNIPPET else text[:_SNIPPET] + "…"


async def _delivered(scene: Stage) -> None:
    """Wait until each receipt has come as a span, and each span's parent too; after a while go on with what is here."""
    last_look = monotonic() + _DELIVERY_S
    while monotonic() < last_look:
        if _complete(scene):
            return
        await asyncio.sleep(_LOOK_S)


def _complete(scene: Stage) -> bool:
    spans = scene.collector.spans()
    arrived = {attributes_of(span).get("extproc.receipt.id") for span in spans}
    if not receipt_ids(scene.receipts) <= arrived:
        return False
    received = scene.collector.received()
    return all(len(trees(received, trace_id)) == 1 for trace_id in {span.trace_id.hex() for span in spans})


def _show_logs(scene: Stage, console: Console) -> None:
    for path in (scene.server.log, scene.envoy_log):
        console.print(log_tail(path))
