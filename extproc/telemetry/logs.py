"""Logging set-up: one line per record on one stream, as JSON or as text.

A record never holds a body, a token or a cookie: callers log codes, ids and counts (architecture, invariant 6).
"""

import logging
from datetime import UTC, datetime
from typing import Literal, TextIO, TypeAlias

import orjson
from typing_extensions import override

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
Format: TypeAlias = Literal["json", "text"]

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: Level, format_: Format, stream: TextIO) -> None:
    """Send every record of this process at `level` and above to the stream.  The last call wins.

    Fields given by `extra=` become members of the JSON object, or `name=value` at the end of the text.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, the extra fields, `exception`."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line, without its end."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode("utf-8")


class TextFormatter(logging.Formatter):
    """For eyes: `time LEVEL logger: message name=value`, control characters escaped so that it stays one line."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line, without its end."""
        fields = "".join(f" {name}={value}" for name, value in _extra(record).items())
        trace = f" exception={self.formatException(record.exc_info)}" if record.exc_info else ""
        return _one_line(f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{fields}{trace}")


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
