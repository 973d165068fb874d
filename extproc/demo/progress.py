"""What is going on, as long as it goes on, and how long it took."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

Say: TypeAlias = Callable[[str], None]


class Progress:
    """One line for each step, with a spinner while it runs on a terminal."""

    def __init__(self, console: Console) -> None:
        """Print to this console; the time counts from now."""
        self._console = console
        self._began = monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return monotonic() - self._began

    @contextmanager
    def step(self, title: str) -> Iterator[Say]:
        """Run a step; what it says stands on its line.  A step that fails leaves a line that says so."""
        began, said = monotonic(), [""]
        mark = Text("✗", "red")
        try:
            with self._console.status(Text(title)):
                yield lambda text: said.__setitem__(0, text)
            mark = Text("✓", "green")
        finally:
            line = Table.grid(padding=(0, 1))
            line.add_column(width=1)
            line.add_column(width=34)
            line.add_column(width=7, justify="right", style="dim")
            line.add_column(style="dim", overflow="fold")
            line.add_row(mark, Text(title), f"{monotonic() - began:.2f} s", Text(said[0]))
            self._console.print(line)
