"""The load generator, hey: a closed loop of so many clients, each with one connection that it keeps."""

import asyncio
import csv
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.works import PATH, Work

HEY = Path(".tools/bin/hey")
_OK = "200"


class LoadError(Exception):
    """The load could not be driven, or an exchange did not end as it must."""


@dataclass(frozen=True, slots=True)
class Load:
    """What hey saw: latencies in ms, sorted (hey writes them to 0.1 ms), and the seconds that the run took."""

    latencies_ms: tuple[float, ...]
    seconds: float

    @property
    def exchanges(self) -> int:
        """How many ended, all with 200."""
        return len(self.latencies_ms)

    def percentile_ms(self, percent: int) -> float:
        """The latency that so many percent of the exchanges did not exceed."""
        return self.latencies_ms[max(0, -(-len(self.latencies_ms) * percent // 100) - 1)]


async def drive(address: str, work: Work, *, concurrency: int, exchanges: int, folder: Path) -> Load:
    """Send so many exchanges, rounded up to a multiple of `concurrency`.

    Raises LoadError unless every one of them is answered with 200: a number of failures is not a measurement.
    """
    count = -(-exchanges // concurrency) * concurrency
    command = [str(HEY), "-n", str(count), "-c", str(concurrency), "-m", work.method, "-o", "csv", "-t", "30"]
    command += ["-A", "application/json", "-disable-compression", "-host", "bench.example.com"]
    if work.body:
        body = folder / f"{len(work.body)}.json"
        body.write_bytes(work.body)
        command += ["-T", "application/json", "-D", str(body)]
    start = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, f"http://{address}{PATH}", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    seconds = time.monotonic() - start
    if process.returncode:
        raise LoadError(f"hey ended with {process.returncode}: {errors.decode(errors='replace')[:500]}")
    rows = list(csv.DictReader(output.decode().splitlines()))
    answers = Counter(row["status-code"] for row in rows)
    if answers != {_OK: count}:
        raise LoadError(f"{work.name}, {concurrency} in flight: {count} sent, answered {dict(answers)}")
    return Load(tuple(sorted(float(row["response-time"]) * 1000 for row in rows)), seconds)
