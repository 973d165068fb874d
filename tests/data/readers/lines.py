"""libinjection and PayloadsAllTheThings: lists with a payload on each line, each sent in the next of eight places."""

from collections.abc import Iterator
from itertools import cycle

from data.cases import DATA, Case, files
from data.places import BODIES, PLACES

_SETS = {"libinjection": "data/*.txt", "payloadsallthethings": "*/Intruder*/*"}


def requests() -> Iterator[Case]:
    """The lines of all lists, each text once; bytes that are not UTF-8 are sent as they are."""
    for folder, pattern in _SETS.items():
        known: set[bytes] = {b""}
        places = cycle([*BODIES, "query"])
        for file in files(folder, pattern):
            for number, line in enumerate(file.read_bytes().splitlines(), 1):
                if line not in known:
                    known.add(line)
                    place = next(places)
                    yield PLACES[place](f"{folder}/{place}", f"{file.relative_to(DATA)}:{number}", line)
