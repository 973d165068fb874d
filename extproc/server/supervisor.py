"""The process main of `extproc serve`: starts workers and shipper, owns the admin port, takes no traffic."""

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

from extproc.config import Settings
from extproc.errors import EvidenceDirectoryError, StartupError
from extproc.evidence.key_files import read_key_file
from extproc.evidence.keys import create_signer, jwks, load_hmac_key, load_or_create_hmac_key, parse_signer
from extproc.server import shipper, worker
from extproc.server.admin import Admin, Sources, WorkerStatus
from extproc.server.child import Child
from extproc.telemetry.logs import configure
from extproc.telemetry.metrics import forget, render

_LOG = logging.getLogger(__name__)
WORKER_DRAIN_S = worker.NOTICE_S + worker.GRACE_S + 2.0
SHIPPER_DRAIN_S = shipper.GRACE_S + 2.0
"""Together under Kubernetes' default grace period of 30 s."""
_MEMORY = "/dev/shm"  # noqa: S108 - the folder inside it is made by mkdtemp
"""Metrics are memory-mapped files, and a page that a full disk cannot hold kills whoever writes to it (SIGBUS)."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain.  Raises StartupError where a part of the server cannot start."""
    configure(settings.log.level, settings.log.format, sys.stderr)
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    metrics_directory = Path(tempfile.mkdtemp(prefix="extproc-metrics-", dir=memory))
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics_directory)  # inherited by the children
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # likewise: grpc writes to standard error past the log
    try:
        asyncio.run(_run(settings, _keys(settings), metrics_directory))
    finally:
        shutil.rmtree(metrics_directory, ignore_errors=True)


def _keys(settings: Settings) -> worker.Keys:
    """The configured keys, or those of the evidence directory, made there on the first start."""
    evidence = settings.evidence
    try:
        evidence.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EvidenceDirectoryError(
            f"{evidence.directory} cannot be a folder ({error.strerror}): name a writable one as evidence.directory"
        ) from None
    signing = evidence.key or evidence.directory / "signing.pem"
    hmac = evidence.hmac_key or evidence.directory / "hmac.key"
    if evidence.key is None and not signing.exists():
        signer = create_signer(signing)
        _LOG.info("a signing key was made", extra={"file": str(signing), "kid": signer.kid})
    read = load_hmac_key if evidence.hmac_key else load_or_create_hmac_key
    return worker.Keys(signing, read_key_file(signing), read(hmac))


async def _run(settings: Settings, keys: worker.Keys, metrics_directory: Path) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    failures: list[str] = []

    def failed(message: str) -> None:
        failures.append(message)
        stopping.set()

    def died(pid: int) -> None:
        forget(pid, metrics_directory)

    workers = [
        Child(f"worker-{index}", partial(worker.main, settings, keys, index), on_failure=failed, on_death=died)
        for index in range(settings.workers)
    ]
    ships = Child("shipper", partial(shipper.main, settings), on_failure=failed, on_death=died)
    public = parse_signer(keys.signing, keys.file).verifier
    admin = Admin(
        Sources(
            workers=lambda: [WorkerStatus(i, c.address, not c.problem, c.problem) for i, c in enumerate(workers)],
            metrics=lambda: render(metrics_directory),
            jwks=lambda: jwks([public]),
        )
    )
    _LOG.info("admin listens", extra={"address": await admin.listen(settings.admin.listen)})
    for one in (ships, *workers):
        one.start()
    await stopping.wait()
    for one in (ships, *workers):
        one.retire()
    await asyncio.gather(*(one.drain(WORKER_DRAIN_S) for one in workers))
    if failures:
        await ships.kill()  # who waits for the sentence must not wait for a collector: receipts stay in the log
    else:
        await ships.drain(SHIPPER_DRAIN_S)  # last: what the workers wrote while they drained is shipped too
    await admin.close()
    if failures:
        raise StartupError(failures[0])
