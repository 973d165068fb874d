"""How long one hostile body keeps a worker's loop busy until it has its state, against the target for each megabyte."""

import gc
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from time import perf_counter

import brotli

from extproc.core.body import MemoryBudget, Reassembly, inspect
from extproc.core.coding import DECODERS
from extproc.core.events import Direction, Headers
from extproc.core.headers import HeaderMap
from extproc.core.rules import Limits
from extproc.errors import BodyError

TARGET_MS = 50
_LIMITS = Limits()
_MIB = 1 << 20
_MB = 1_000_000
_RUNS = 5
_DEEP = b"[" * 63 + b"]" * 63
_TOO_DEEP = b"[" * 64 + b"]" * 64
_ZSTD = b"\x28\xb5\x2f\xfd\0\x38"
"""RFC 8878 section 3.1.1.1: the start of a frame with a window of 128 KiB and no content size."""
_RUN = (0x20000 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
"""Section 3.1.1.2.2: four bytes that stand for 128 KiB of zeros."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One body; `coding` is empty where it has none."""

    name: str
    media: str
    body: bytes
    coding: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """What came of an attack: `looked_at` are the decoded bytes, as far as they were made; `ms` is the best run."""

    attack: Attack
    state: str
    looked_at: int
    ms: float

    @property
    def ms_per_mb(self) -> float:
        """Per megabyte that was looked at, on the wire or decoded."""
        return self.ms / (max(self.looked_at, len(self.attack.body)) / _MB)


def rejections() -> list[Rejection]:
    """Every attack, measured in this process with a worker's settings of the collector."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    return [_measured(attack) for attack in attacks()]


def attacks() -> Iterator[Attack]:
    """Bodies of 1 MiB, and codings that unfold to all that they may."""
    yield from _json_attacks()
    form = "application/x-www-form-urlencoded"
    yield Attack("form: 10,001 pairs", form, _filled(b"a=1&", 40_004))
    yield Attack("form: every byte escaped", form, b"&".join([_filled(b"%C3%A9", 100)] * 9_999))
    yield Attack("form: a bad escape at the end", form, _filled(b"%C3%A9") + b"%")
    yield Attack("text: JSON but for the end", "text/plain", b"[" + _filled(b"[],") + b"]]")
    yield Attack("text: not UTF-8 at the end", "text/html", _filled("\N{FACE WITH TEARS OF JOY}".encode()) + b"\xff")
    yield from _coded_attacks()


def _json_attacks() -> Iterator[Attack]:
    json = "application/json"
    yield Attack("JSON: brackets only", json, b"[" * _MIB)
    yield Attack("JSON: as deep as allowed, again and again", json, _listed(_DEEP))
    yield Attack("JSON: one level too deep at the end", json, _listed(_DEEP, _TOO_DEEP))
    yield Attack("JSON: empty lists", json, _listed(b"[]"))
    yield Attack("JSON: small objects", json, _listed(b'{"":[]}'))
    fields = b",".join(b'"k%d":0' % n for n in range(85_000))
    yield Attack("JSON: 85,000 names, the last one twice", json, b"{" + fields + b',"k84999":1}')
    yield Attack("JSON: escaped names, the last one twice", json, _listed(b'{"\\u0061":0}', b'{"a":0,"\\u0061":1}'))
    yield Attack("JSON: numbers of 1,099 digits", json, _listed(b"1." + b"9" * 1_098))
    yield Attack("JSON: one number of 1 MiB", json, b"9" * _MIB)
    yield Attack("JSON: escapes", json, b'"' + _filled(b"\\u00e9") + b'"')


def _coded_attacks() -> Iterator[Attack]:
    zeros, text = bytes(64 * _MIB), "text/plain"
    bomb = gzip.compress(zeros)
    yield Attack("gzip: zeros beyond the limit", text, bomb, "gzip")
    yield Attack("gzip: truncated", text, gzip.compress(_noise(_MIB - 1_000))[:-9], "gzip")
    yield Attack("gzip: empty blocks", text, bomb[:10] + _filled(b"\0\0\0\xff\xff"), "gzip")
    yield Attack("deflate: zeros beyond the limit", text, zlib.compress(zeros), "deflate")
    yield Attack("br: zeros beyond the limit", text, brotli.compress(zeros), "br")
    yield Attack("br: truncated", text, brotli.compress(_noise(_MIB - 1_000))[:-9], "br")
    yield Attack("zstd: zeros beyond the limit", text, _ZSTD + _RUN * 64, "zstd")
    yield Attack("zstd: empty blocks", text, _ZSTD + _filled(bytes(3)), "zstd")
    yield Attack("gzip: 10 MiB of JSON, one level too deep at the end", "application/json", _unfolding(_DEEP), "gzip")
    yield Attack("gzip: 10 MiB of JSON, small objects", "application/json", _unfolding(b'{"":[]}'), "gzip")


def _unfolding(unit: bytes) -> bytes:
    """All that the limits permit, refused for its depth at the very end; the noise keeps below the ratio."""
    noise = b'"' + _noise(_MIB // 20).hex().encode() + b'"'
    length = _LIMITS.decoded_bytes - len(noise) - 1_000
    return gzip.compress(b"[" + noise + b"," + _listed(unit, _TOO_DEEP, length) + b"]")


def _filled(unit: bytes, length: int = _MIB - 10) -> bytes:
    return unit * (length // len(unit))


def _listed(unit: bytes, last: bytes = b"", length: int = _MIB - 1_000) -> bytes:
    return b"[" + b",".join([unit] * (length // (len(unit) + 1)) + [last or unit]) + b"]"


def _noise(length: int) -> bytes:
    """What does not compress, the same in each run."""
    return Random(1).randbytes(length)  # noqa: S311 - no secret


def _measured(attack: Attack) -> Rejection:
    runs = [_run(attack) for _ in range(_RUNS)]
    return Rejection(attack, runs[0][0], _looked_at(attack), min(ms for _, ms in runs))


def _run(attack: Attack) -> tuple[str, float]:
    pairs = [("content-type", attack.media.encode())]
    pairs += [("content-encoding", attack.coding.encode())] if attack.coding else []
    head = Headers(Direction.REQUEST, HeaderMap(tuple(pairs)), end_of_stream=False)
    body = Reassembly(_LIMITS.body_bytes, MemoryBudget(256 * _MIB))
    start = perf_counter()
    body.feed(attack.body)
    state = inspect(head, body, _LIMITS).state
    return state.value, (perf_counter() - start) * 1_000


def _looked_at(attack: Attack) -> int:
    """How far the coding was undone."""
    limit_bytes, made = _LIMITS.decoded(len(attack.body)), 0
    try:
        for piece in DECODERS[attack.coding](attack.body) if attack.coding else ():
            made += len(piece)
            if made > limit_bytes:
                break
    except BodyError:
        return made
    return made
