"""The README of an example, carried out: what it shows under Verify is run by bash and must print what stands there."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

_CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """A command, and every line that it prints."""

    command: str
    output: str


def steps(example: str, section: str) -> list[Step]:
    """The commands of the console blocks of one section, in their order."""
    text = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    _, found, rest = text.partition(f"\n## {section}\n")
    assert found, f"no section {section}"
    out = []
    for block in _CONSOLE.findall(rest.partition("\n## ")[0]):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines(keepends=True)
            count = next(i for i, line in enumerate(lines, 1) if not line.endswith("\\\n"))
            out.append(Step("".join(lines[:count]).strip(), "".join(lines[count:])))
    return out


async def carried_out(wanted: list[Step], environment: Mapping[str, str]) -> list[Step]:
    """The same commands with what they print now, one after the other, from the root of the repository."""
    return [Step(step.command, await _output(step.command, environment)) for step in wanted]


async def _output(command: str, environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", command), cwd=ROOT, env=os.environ | dict(environment), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return output.decode().replace("\r\n", "\n")
