import io
import logging
import sys
from collections.abc import Iterator

import orjson
import pytest

from extproc.telemetry.logs import Format, configure


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]


def written(format_: Format, message: str, **extra: object) -> str:
    stream = io.StringIO()
    configure("info", format_, stream)
    record = logging.makeLogRecord(
        {"name": "extproc.x", "levelname": "ERROR", "levelno": logging.ERROR, "msg": message, "created": 0.25} | extra
    )
    logging.getLogger("extproc.x").handle(record)
    return stream.getvalue()


def test_a_json_record_is_one_object_with_its_extra_fields() -> None:
    assert orjson.loads(written("json", "two\nlines", unshipped=3, stem=b"x")) == {
        "time": "1970-01-01T00:00:00.250Z",
        "level": "error",
        "logger": "extproc.x",
        "message": "two\nlines",
        "unshipped": 3,
        "stem": "b'x'",
    }


def test_a_text_record_stays_one_line_whatever_it_holds() -> None:
    assert written("text", "two\nlines \x1b[31mé", file="a\r\nb") == (
        "1970-01-01T00:00:00.250Z ERROR extproc.x: two\\nlines \\x1b[31mé file=a\\r\\nb\n"
    )


@pytest.mark.parametrize("format_", ["json", "text"])
def test_an_exception_is_part_of_the_one_line(format_: Format) -> None:
    try:
        raise ValueError("bad")  # noqa: TRY301 - the traceback is what is tested
    except ValueError:
        line = written(format_, "failed", exc_info=sys.exc_info())
    assert (line.count("\n"), "ValueError: bad" in line, line.endswith("\n")) == (1, True, True)


def test_a_record_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    configure("warning", "json", stream)
    logging.getLogger("extproc.x").info("quiet")
    assert not stream.getvalue()


def test_the_last_configuration_wins() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("info", "json", first)
    configure("info", "text", second)
    logging.getLogger("extproc.x").info("once")
    assert (first.getvalue(), second.getvalue().count("once")) == ("", 1)
