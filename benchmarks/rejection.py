"""How long one hostile body keeps a worker's loop busy until it has its state, against the target for each megabyte."""

import gc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from time import process_time, thread_time_ns

from benchmarks.attacks import LIMITS, Attack, attacks, data_set
from extproc.core.body import Reassembly, inspect
from extproc.core.budget import MemoryBudget
from extproc.core.coding import decoder_of
from extproc.core.coding.effort import bounded
from extproc.core.events import Direction, Headers
from extproc.core.headers import HeaderMap
from extproc.errors import BodyError

TARGET_MS = 50
_MB = 1_000_000
_ROUNDS = 5
_WORST = 5


@dataclass(frozen=True, slots=True)
class Rejection:
    """What came of an attack: `looked_at` are the decoded bytes, as far as they were made; `ms` of CPU, the median."""

    attack: Attack
    state: str
    looked_at: int
    ms: float

    @property
    def ms_per_mb(self) -> float:
        """Per megabyte that was looked at, on the wire or decoded; what is built and shorter is taken for one."""
        return self.ms / max(self.looked_at / _MB, len(self.attack.body) / _MB, 0 if self.attack.outside else 1)


@dataclass(frozen=True, slots=True)
class Rejections:
    """`yardstick_ms` is what a list of 250,000 numbers as texts took in the same rounds: how fast the machine was."""

    found: Sequence[Rejection]
    yardstick_ms: float


def rejections() -> Rejections:
    """Every attack and the worst of the data sets, in turn, with a worker's settings of the collector."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    bodies = [*attacks(), *_worst(data_set())]
    rounds = [[_ms(_yardstick), *map(_run, bodies)] for _ in range(_ROUNDS)]
    yardstick, *times = (median(column) for column in zip(*rounds, strict=True))
    return Rejections([_found(body, ms) for body, ms in zip(bodies, times, strict=True)], yardstick)


def _worst(bodies: Iterable[Attack]) -> list[Attack]:
    """Those that took longest in the best of three runs."""
    return sorted(bodies, key=lambda body: -min(_run(body) for _ in range(3)))[:_WORST]


def _found(attack: Attack, ms: float) -> Rejection:
    head, body = _arrived(attack)
    return Rejection(attack, inspect(head, body, LIMITS).state.value, _looked_at(attack), ms)


def _run(attack: Attack) -> float:
    head, body = _arrived(attack)
    return _ms(lambda: inspect(head, body, LIMITS))


def _arrived(attack: Attack) -> tuple[Headers, Reassembly]:
    pairs = [("content-type", attack.media.encode())]
    pairs += [("content-encoding", attack.coding.encode())] if attack.coding else []
    body = Reassembly(LIMITS.body_bytes, MemoryBudget(256 << 20), thread_time_ns)
    body.feed(attack.body)
    return Headers(Direction.REQUEST, HeaderMap(tuple(pairs)), end_of_stream=False), body


def _yardstick() -> list[str]:
    return [str(n) for n in range(250_000)]


def _ms(call: Callable[[], object]) -> float:
    """CPU time of the process, what it frees at the end included."""
    start = process_time()
    call()
    return (process_time() - start) * 1_000


def _pieces(attack: Attack) -> Iterable[bytes]:
    decoder = decoder_of(attack.coding, LIMITS.decoded(len(attack.body)))
    return bounded(decoder, attack.body, thread_time_ns) if decoder else ()


def _looked_at(attack: Attack) -> int:
    """How far the coding was undone."""
    limit_bytes, made = LIMITS.decoded(len(attack.body)), 0
    try:
        for piece in _pieces(attack):
            made += len(piece)
            if made > limit_bytes:
                break
    except BodyError:
        return made
    return made
