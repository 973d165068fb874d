"""The empty server with what a decision cannot be without, and nothing else: no exchange, no documents, no policy.

    python -m benchmarks.least_server unix:///path/to.sock EVIDENCE_DIRECTORY

For each decision (a whole body, or headers without one) one evaluation of `true`, handed to the engine's threads and
back; one Ed25519 signature over as many bytes as a receipt has; one line of a log.  What it takes above the
empty server is what no code of ours can save.
"""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from envoy.service.ext_proc.v3.external_processor_pb2 import ProcessingRequest

from benchmarks.empty_server import REPLIES, Context, serve
from extproc.core.engine import Question
from extproc.core.point import Point
from extproc.engines.embedded import EmbeddedEngine
from extproc.engines.sources import PolicySet
from extproc.evidence.wal import Loss, WalWriter

_SIGNED_BYTES = 1_250  # a receipt of the measured exchange
_LINE = b"x" * 1_900 + b"\n"  # its envelope
_PATIENCE_S = 10.0
_POLICY = PolicySet({"nothing.rego": "package nothing\n\ndecision := true\n"}, b"{}", "", "", "")


def _lost(loss: Loss) -> None:
    raise OSError(loss.harm)


class _Least:
    def __init__(self, directory: Path) -> None:
        self._engine = EmbeddedEngine(policies=_POLICY, entrypoints={Point.REQUEST: "nothing/decision"})
        self._key = Ed25519PrivateKey.generate()
        self._log = WalWriter(directory, "least", on_loss=_lost)

    async def process(self, _: AsyncIterator[bytes], context: Context) -> None:
        while isinstance(message := await context.read(), bytes):
            request = ProcessingRequest.FromString(message)
            part = request.WhichOneof("request")
            if getattr(request, part).end_of_stream:
                await self._decide(message)
            await context.write(REPLIES[part])

    async def _decide(self, message: bytes) -> None:
        await self._engine.decide(Question(Point.REQUEST, b"{}"), _PATIENCE_S)
        self._key.sign(message[:_SIGNED_BYTES].ljust(_SIGNED_BYTES))
        self._log.append(_LINE)


async def _main() -> None:
    least = _Least(Path(sys.argv[2]))
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in a worker
    await serve(sys.argv[1], least.process)


if __name__ == "__main__":
    asyncio.run(_main())
