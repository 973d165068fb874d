"""python-multipart's pairs of a body and what must be read from it, as Starlette's users have it."""

from collections.abc import Iterator

import yaml
from data.cases import Case, files, request, typed


def requests() -> Iterator[Case]:
    """30 bodies, each with its boundary."""
    for file in files("python-multipart/tests/test_data/http", "*.http"):
        boundary = yaml.safe_load(file.with_suffix(".yaml").read_bytes())["boundary"]
        head, body = request(b"POST", b"/", [typed(f"multipart/form-data; boundary={boundary}")], file.read_bytes())
        yield Case("python-multipart/multipart", file.name, head, body)
