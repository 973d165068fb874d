"""Certificates that are replaced on disk are served from the next handshake on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial

from extproc.config.settings import Tls as TlsSettings
from extproc.errors import CertificateError
from extproc.server.certificates import Certificates, read_certificates
from extproc.server.tls import Names, Tls
from extproc.telemetry.metrics import Metrics

EVERY_S = 1.0
"""Three small files are read so often: no notification is missed, whatever replaces them and on what file system."""
_LOG = logging.getLogger(__name__)


@asynccontextmanager
async def mutual_tls(
    settings: TlsSettings | None, meters: Metrics, now: Callable[[], datetime]
) -> AsyncIterator[Tls | None]:
    """What the port is to be served with, kept as the files are; None without `tls`.

    Raises CertificateError where the files are not good at the start.
    """
    if settings is None:
        yield None
        return
    certificates = read_certificates(settings, now())
    meters.tls_expiry_s.set(certificates.not_after.timestamp())
    tls = Tls(certificates=certificates, allowed=settings.client_san, on_refused=partial(_refused, meters))
    follower = asyncio.create_task(_follow(settings, meters, now, tls, certificates))
    follower.add_done_callback(_ended)
    try:
        yield tls
    finally:
        follower.cancel()
        await asyncio.gather(follower, return_exceptions=True)


async def _follow(
    settings: TlsSettings, meters: Metrics, now: Callable[[], datetime], tls: Tls, served: Certificates
) -> None:
    """Until it is cancelled.  What is wrong is said once; files that are not good change nothing."""
    said = ""
    while True:
        await asyncio.sleep(EVERY_S)
        try:
            found = await asyncio.to_thread(read_certificates, settings, now())
        except CertificateError as error:
            if str(error) != said:
                said = str(error)
                meters.tls_reloads.labels("failed").inc()
                _LOG.error("the certificates on disk are not good, those in use stay", extra={"reason": said})
            continue
        said = ""
        if found != served:
            tls.replace(found)
            served = found
            meters.tls_reloads.labels("loaded").inc()
            meters.tls_expiry_s.set(found.not_after.timestamp())
            _LOG.info("certificates loaded", extra={"not_after": found.not_after.isoformat()})


def _refused(meters: Metrics, names: Names) -> None:
    meters.tls_refused.inc()
    _LOG.warning("a peer may not ask", extra={"names": names})


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _LOG.error("certificates are no longer watched: restart to load a change", exc_info=error)
