"""The rows against a real Envoy, a real server process and a real upstream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from conformance.exchange import Row, Seen
from conformance.wire import Upstream, send, upstream

from extproc.config import load_settings
from extproc.demo.collector import collector
from extproc.demo.envoy import running_envoy
from extproc.demo.server import running_server
from extproc.evidence.cursor import segments
from extproc.evidence.lines import read_lines
from extproc.istio.gateway import TcpAddress, address_of
from extproc.istio.mapping import gateway_of
from extproc.telemetry.otlp_messages import Span

POLICY = Path(__file__).parent / "policy"


def settings_document(folder: Path, config: dict) -> dict:
    """The base configuration of the table with a row's changes over it."""
    base = {
        "listen": f"unix://{folder}/x.sock",
        "admin": {"listen": "127.0.0.1:0"},
        "policy": {"paths": [str(POLICY)], "deadline_ms": 1500},  # of a machine that does something else as well
        "mutations": {
            "request_headers": ["x-extproc-*", "x-set-*", "x-gone"],
            "response_headers": [
                "x-extproc-*",
                "content-type",
                "www-authenticate",
                "retry-after",
                "cache-control",
                "x-set-*",
            ],
        },
        "inspection": {"request_body_bytes": 65536, "response_body_bytes": 65536},
        "evidence": {"directory": str(folder / "evidence")},
        "log": {"level": "info"},
    }
    return _merged(base, config)


def _merged(base: dict, over: dict) -> dict:
    out = dict(base)
    for key, value in over.items():
        out[key] = _merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else value
    return out


class Log:
    """The receipts of one evidence directory, each read once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def news(self) -> list[dict]:
        """The documents that came since the last call."""
        out = []
        for segment in segments(self._directory):
            for line in read_lines(segment, self._offsets.get(segment, 0)):
                self._offsets[segment] = line.end
                out.append(json.loads(line.envelope.payload))
        return out


class RealStage:
    """One running configuration."""

    def __init__(self, address: str, recorder: Upstream, log: Log) -> None:
        self.address, self.recorder, self.log = address, recorder, log

    async def play(self, row: Row) -> Seen:
        """One exchange, and everything that was seen of it."""
        self.recorder.answer = row.answer
        self.recorder.seen.clear()
        client = await send(self.address, row.request)
        receipts = await self._receipts(len(row.expect["receipts"]) + len(row.expect.get("perhaps", [])))
        return Seen(client, self.recorder.seen[-1] if self.recorder.seen else None, tuple(receipts))

    async def _receipts(self, count: int) -> list[dict]:
        """As many as the row expects, or as came in two seconds: a stream's end is recorded after the answer."""
        found = self.log.news()
        for _ in range(100):
            if len(found) >= count:
                break
            await asyncio.sleep(0.02)
            found += self.log.news()
        return found


def _receipt_id(span: Span) -> str:
    return next(pair.value.string_value for pair in span.attributes if pair.key == "extproc.receipt.id")


@asynccontextmanager
async def real_stage(folder: Path, config: dict) -> AsyncIterator[RealStage]:
    """Everything started, and stopped at the end; then every receipt of the log has arrived as a span."""
    with collector() as receiver:
        document = settings_document(folder, config) | {"telemetry": {"otlp": {"endpoint": receiver.endpoint}}}
        async with upstream() as recorder, running_server(document, folder) as server:
            gateway = gateway_of(
                load_settings(server.config),
                listen=TcpAddress("127.0.0.1", 0),
                upstream=address_of(recorder.address),
                admin=TcpAddress("127.0.0.1", 0),
                otlp=None,
            )
            async with running_envoy(gateway, folder) as envoy:
                yield RealStage(envoy.address, recorder, Log(folder / "evidence"))
        logged = sorted(receipt["receipt_id"] for receipt in Log(folder / "evidence").news())
        assert sorted(_receipt_id(span) for span in receiver.spans()) == logged
