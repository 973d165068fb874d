"""The exchanges that are measured: what the client sends and what the upstream answers."""

import json
from dataclasses import dataclass

_FREE_TEXT = "some longer free text, as people write it"
_FRAME_BYTES = 70  # what stands around the items
PATH = "/orders/new?view=full"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of exchange; without a body it is a GET."""

    name: str
    body: bytes = b""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "POST" if self.body else "GET"


def order(size: int) -> bytes:
    """A JSON order of about `size` bytes: nested, with names, numbers and text, and with nothing to find in it."""
    items: list[dict[str, object]] = []
    used = _FRAME_BYTES
    while used < size:
        number = len(items)
        item: dict[str, object] = {
            "id": 1000 + number,
            "sku": f"AB-{number % 97:04d}",
            "name": "two words here for the item",
            "note": _FREE_TEXT,
            "qty": 3,
            "tags": ["a", "b"],
        }
        items.append(item)
        used += len(_compact(item)) + 1
    return _compact({"content": "Get the account summary", "tenant": "acme", "items": items})


def _compact(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


RESPONSE = order(1 << 10)
WORKS = (
    Work("GET"),
    Work("POST 1 KB", order(1 << 10)),
    Work("POST 16 KB", order(16 << 10)),
    Work("POST 128 KB", order(128 << 10)),
)
CONCURRENCIES = (1, 16)
TARGET_WORK = WORKS[1]
TARGET_US = 350
"""CPU of our own part above the empty server for TARGET_WORK, the engine apart."""
