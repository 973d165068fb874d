"""`extproc demo`."""

import asyncio
import os
from typing import Annotated, Literal

import typer

_WIDTH = 120


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running, with lines to try.")] = False,
    engine: Annotated[Literal["embedded", "opa"], typer.Option(help="In the server, or in a real OPA.")] = "embedded",
) -> None:
    """Show blocked attacks and verified receipts, with a real Envoy on this machine.

    Starts Envoy, a small upstream, an OTLP receiver and `extproc serve` with the shipped policies, all on loopback
    ports; sends a handful of exchanges; prints what became of each, and the spans that arrived.

    Example: `extproc demo`, and then `extproc demo --keep` to play with it

    Exit status: 0 every exchange went as expected, 1 one did not, 2 something could not start.
    """
    from rich.console import Console

    from extproc.demo.show import perform
    from extproc.demo.story import STORY

    width = _WIDTH if not os.isatty(1) and "COLUMNS" not in os.environ else None
    console = Console(highlight=False, width=width)
    if not asyncio.run(perform(STORY, console, engine=engine, keep=keep)):
        raise typer.Exit(1)
