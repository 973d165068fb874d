"""Cases through a real Envoy, configured as `render` does, a real server with the embedded engine, a real upstream."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from conformance.real import Log, settings_document
from data.cases import Case, number_of_trace
from data.driver import send_all
from data.oracle import Exchange, Receipt
from data.upstream import Arrival, upstream

from extproc.config import load_settings
from extproc.demo.envoy import running_envoy
from extproc.demo.server import running_server
from extproc.istio.gateway import TcpAddress, address_of
from extproc.istio.mapping import gateway_of

POLICY = Path(__file__).parent / "seeing"


@dataclass(frozen=True, slots=True)
class Played:
    """The exchanges in the order of the cases, and what belongs to none of them."""

    folder: Path
    exchanges: tuple[Exchange, ...]
    unsent_arrivals: tuple[Arrival, ...]
    unsent_receipts: tuple[Receipt, ...]

    @property
    def receipts(self) -> int:
        """How many there are in all."""
        return len(self.unsent_receipts) + sum(len(exchange.receipts) for exchange in self.exchanges)

    @property
    def logs(self) -> str:
        """Everything that the server, at its most talkative, and Envoy wrote."""
        return "".join((self.folder / name).read_text(errors="replace") for name in ("extproc.log", "envoy.log"))


async def played(folder: Path, cases: Sequence[Case], *, response: bool) -> Played:
    """Send every case once; the response point is asked only if `response` says so."""
    config = {
        # Whether a decision is quick enough is measured elsewhere.
        "policy": {"paths": [str(POLICY)], "deadline_ms": 30_000, "points": {} if response else {"response": None}},
        "envoy": {"message_timeout_ms": 40_000},
        "inspection": {"request_body_bytes": 1 << 20, "response_body_bytes": 1 << 20},
        "log": {"level": "debug"},
    }
    numbered = dict(enumerate(cases, 1))
    async with (
        upstream({number: case.answer for number, case in numbered.items()}) as running,
        running_server(settings_document(folder, config), folder) as server,
    ):
        gateway = gateway_of(
            load_settings(server.config),
            listen=TcpAddress("127.0.0.1", 0),
            upstream=address_of(running.address),
            admin=TcpAddress("127.0.0.1", 0),
            otlp=None,
        )
        async with running_envoy(gateway, folder) as envoy:
            replies = await send_all(envoy.address, ((number, case.wire(number)) for number, case in numbered.items()))
    receipts: dict[int, list[Receipt]] = defaultdict(list)
    for document in Log(folder / "evidence").news():
        receipts[number_of_trace(document["trace"]["trace_id"])].append(Receipt.read(document))
    arrived = running.arrived
    exchanges = tuple(
        Exchange(case, replies[number], tuple(arrived.pop(number, ())), tuple(receipts.pop(number, ())))
        for number, case in numbered.items()
    )
    return Played(
        folder,
        exchanges,
        unsent_arrivals=tuple(chain.from_iterable(arrived.values())),
        unsent_receipts=tuple(chain.from_iterable(receipts.values())),
    )
