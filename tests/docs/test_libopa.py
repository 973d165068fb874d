"""The examples of the library run as printed, and say what stands under them."""

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from docs.page import DOCS

ROOT = DOCS.parent
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    """Kind and text of each code block."""
    return _FENCE.findall((ROOT / page).read_text(encoding="utf-8"))


def said(folder: Path, script: str) -> str:
    """What a Python program prints that is started in this folder."""
    path = {"PYTHONPATH": str(ROOT), "PATH": "/bin"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("title", ["Decide", "Explain"])
def test_an_example_says_what_stands_under_it(tmp_path: Path, title: str) -> None:
    found = blocks("docs/libopa.md")
    files = {"order.rego": "rego", "limits/data.json": "json"}
    for name, kind in files.items():
        (tmp_path / "policies" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "policies" / name).write_text(dict(found)[kind])
    examples = [
        (text, output) for (kind, text), (under, output) in pairwise(found) if kind == "python" and under == "text"
    ]
    script, output = examples[["Decide", "Explain"].index(title)]
    assert said(tmp_path, script) == output


def test_the_example_without_asyncio_says_what_its_comment_says(tmp_path: Path) -> None:
    ((_, script),) = [block for block in blocks("libopa/README.md") if block[0] == "python"]
    assert script.splitlines()[-1].partition("  # ")[2] + "\n" == said(tmp_path, script)
