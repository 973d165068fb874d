"""Play every case once, and write down how each came out: `cd tests && ../.venv/bin/python -m data`, in minutes.

It writes table.yaml and its sums on docs/inspection.md, whatever they are: read the difference before you commit it.
"""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from data import sets, table
from data.gateway import played
from data.oracle import Exchange

PAGE = Path(__file__).parents[2] / "docs" / "inspection.md"


async def main() -> None:
    """Requests first, then responses."""
    exchanges: list[Exchange] = []
    for (cases, _), response in ((sets.requests(), False), (sets.responses(), True)):
        with TemporaryDirectory() as folder:
            exchanges += (await played(Path(folder), cases, response=response)).exchanges
    rows = table.counted(exchanges)
    table.TABLE.write_text(table.written(rows))
    PAGE.write_text(table.on_the_page(PAGE.read_text(), rows))


if __name__ == "__main__":
    asyncio.run(main())
