"""Every target under Atheris, each for its share of the time, one after the other: `make fuzz ARGS="--seconds 1800"`.

A corpus grows in .cache/fuzz from run to run.  An input for which a property does not hold is left there, is printed,
and ends its target; the others go on, and the exit code is 1.  So it is where nothing of ours met another's reading.
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fuzz.properties import TARGETS
from fuzz.properties.target import Target

ROOT = Path(__file__).parents[2]
_LONGEST_INPUT = 4_096
_LONGEST_RUN_S = 20
_MEMORY_MB = 2_048


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target's share of the time has come to."""

    executions: int
    comparisons: int
    corpus: int
    find: str


def main() -> int:
    """The exit code: 1 where a property did not hold, or nothing was compared."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="for all targets together (default: %(default)s)")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only this one; may be repeated")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    share = max(options.seconds // len(names), 1)
    outcomes = {}
    for name in names:
        outcome = outcomes[name] = _run(name, ROOT / ".cache/fuzz", share)
        counts = f"{outcome.executions:10,} executions  {outcome.comparisons:10,} comparisons"
        counts += f"  {outcome.corpus:6,} inputs kept"
        print(f"{name:16} {counts}  {outcome.find}", flush=True)  # noqa: T201 - the report
    return int(any(outcome.find for outcome in outcomes.values()))


def _run(name: str, folder: Path, seconds: int) -> Outcome:
    corpus, words, counter = folder / name, folder / f"{name}.dict", folder / f"{name}.compared"
    _prepare(TARGETS[name], corpus, words)
    counter.write_bytes(bytes(8))
    options = {
        "max_total_time": seconds,
        "max_len": _LONGEST_INPUT,
        "timeout": _LONGEST_RUN_S,
        "rss_limit_mb": _MEMORY_MB,
        "dict": words,
        "artifact_prefix": f"{folder}/{name}-",
        "print_final_stats": 1,
    }
    arguments = [corpus, *(f"-{option}={value}" for option, value in options.items())]
    command = [sys.executable, "-m", "fuzz.under_atheris", name, str(counter), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT / "tests", capture_output=True, text=True, errors="replace", check=False)
    executions = re.search(r"stat::number_of_executed_units: (\d+)", done.stderr)
    if done.returncode or executions is None:
        print(done.stdout[-4_000:], done.stderr[-4_000:], sep="\n")  # noqa: T201 - the report
    kept = re.search(r"^find: (.*)|Test unit written to (\S+)", done.stderr, re.MULTILINE)
    compared = int.from_bytes(counter.read_bytes(), sys.byteorder)
    find = "" if compared else "nothing was compared"
    if done.returncode:
        find = kept[1] or kept[2] if kept else f"exit code {done.returncode}"
    return Outcome(int(executions[1]) if executions else 0, compared, len([*corpus.iterdir()]), find)


def _prepare(target: Target, corpus: Path, words: Path) -> None:
    """Lay out the seeds, and the tokens as libFuzzer's dictionary."""
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds:
        (corpus / sha256(seed).hexdigest()).write_bytes(b"\0" + seed)
    escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in target.tokens if token)
    words.write_text("".join(f'"{token}"\n' for token in escaped))


if __name__ == "__main__":
    sys.exit(main())
