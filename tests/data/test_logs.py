"""The search of test_gateway.py finds a payload in whatever way a log writes it."""

import json
from collections.abc import Callable
from urllib.parse import quote

import orjson
import pytest
from data.logs import payloads_in

PAYLOADS = {
    "plain": "alert(document.cookie)",
    "numbers": "1 OR 17=17 -- 2026",
    "a quote": "say \"alert(1)\" or 'alert(2)'",
    "a backslash": r"C:\windows\system32",
    "a line break": "GET / HTTP/1.1\r\nhost: a",
    "a line break of Unicode": "drop table\u2028 accounts",
    "beyond ASCII": "ÅÍÎÏ˝ÓÔÒÚÆ☃ and more",
    "few characters, many bytes": "田中さん",
    "all of them": "Ä \"says\"\\ 'nothing'\x01\n☃\u2028 17",
    "control characters": "\0\x01\x02 DROP TABLE",
}
CLEAN = '{"level":"info","message":"a signing key was made"}\n[2026][warning] There is no limit\n'


def _envelope(dumps: Callable[[object], str | bytes], text: str) -> str:
    line = dumps({"level": "debug", "request": [{"why": f"no form: {text}, 3 bytes"}]})
    return line if isinstance(line, str) else line.decode()


WRITERS: dict[str, Callable[[str], str]] = {
    "JSON": lambda text: _envelope(orjson.dumps, text),
    "JSON in ASCII": lambda text: _envelope(json.dumps, text),
    "JSON in JSON": lambda text: _envelope(orjson.dumps, _envelope(json.dumps, text)),
    "a name in JSON": lambda text: json.dumps({text: 1}),
    "Python's text": lambda text: f"[17] refused {text!r}",
    "Python's text in JSON": lambda text: _envelope(orjson.dumps, repr(text)),
    "Python's bytes": lambda text: f"[17] refused {text.encode()!r}",
    "Python's bytes in JSON": lambda text: _envelope(orjson.dumps, repr(text.encode())),
    "a request line": lambda text: f"[17] GET /?a={quote(text)}",
    "JSON, cut off": lambda text: _envelope(orjson.dumps, text)[:-5],
    "JSON in ASCII, cut off": lambda text: _envelope(json.dumps, text)[:-5],
}


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_is_found_in_whatever_way_it_is_written(name: str, writer: str) -> None:
    assert payloads_in(CLEAN + WRITERS[writer](PAYLOADS[name]) + "\n", PAYLOADS.values()) == [PAYLOADS[name]]


@pytest.mark.parametrize("line", ["DROP TABLE accounts", 'select "name" from users'])
def test_a_line_of_a_payload_is_found(line: str) -> None:
    payload = f"a\n{line}\nb"
    assert payloads_in(CLEAN + line, [payload]) == [payload]
    assert payloads_in(CLEAN + json.dumps({"message": line}), [payload]) == [payload]


def test_nothing_is_found_in_a_log_without_payloads() -> None:
    assert payloads_in(CLEAN, [*PAYLOADS.values(), "level", "a\ninfo\nb", "9" * 40, ""]) == []
