"""A page of docs/ as its test reads it."""

from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True, slots=True)
class Page:
    """Markdown; the text of a page, or of one of its sections."""

    text: str

    @classmethod
    def read(cls, name: str) -> "Page":
        """The page of this path below docs/."""
        return cls((DOCS / name).read_text(encoding="utf-8"))

    def section(self, title: str) -> "Page":
        """What stands below `## title`."""
        _, found, rest = self.text.partition(f"\n## {title}\n")
        assert found, f"no section {title}"
        return Page(rest.partition("\n## ")[0])

    def table(self, header: str) -> dict[str, list[str]]:
        """The table whose first line begins with `header`: the word of a row's first cell, and its other cells."""
        _, found, rest = self.text.partition(f"\n{header}")
        assert found, f"no table {header}"
        rows: dict[str, list[str]] = {}
        for line in rest.splitlines()[2:]:
            if not line.startswith("|"):
                break
            first, *others = (cell.strip() for cell in line[1:-1].split("|"))
            word = first.strip("`")
            assert word not in rows, f"{word} is there twice"
            rows[word] = others
        return rows
