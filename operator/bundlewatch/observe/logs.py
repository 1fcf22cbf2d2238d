"""Logs for machines (one JSON object a line) or for eyes (one line of text), on standard error.

Fields that tell what a line is about (`object`, `repository`, `tag`) are passed as `extra` and appear in both
forms. Control characters never reach a terminal: much of what is logged comes from strangers.
"""

import logging
import sys
from datetime import datetime
from typing import Any, Literal, TextIO

from pythonjsonlogger.json import JsonFormatter

FIELDS = ("object", "application", "repository", "tag", "reason")

_PLAIN = (str, int, float, bool, datetime, type(None))

_QUIET = {
    "kopf": logging.WARNING,  # its handlers' successes are ours to tell
    "kopf._core.reactor.running": logging.ERROR,  # says that signals are ignored: we handle them
    "kopf.objects": logging.ERROR,
    "asyncio": logging.WARNING,
    "httpx": logging.WARNING,
    "aiohttp": logging.WARNING,
    "kubernetes": logging.WARNING,
}


def configure(*, style: Literal["json", "console"], level: str, stream: TextIO | None = None) -> None:
    """Send all logs to `stream` (standard error when None) in one style."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Console())
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name, least in _QUIET.items():
        logging.getLogger(name).setLevel(max(least, root.level))


class _Json(JsonFormatter):
    def __init__(self) -> None:
        super().__init__(
            "%(message)s",
            timestamp=True,
            rename_fields={"message": "message"},
            json_ensure_ascii=False,
        )

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        super().add_fields(log_data, record, message_dict)
        # Libraries hang values of their own onto a record, kopf a whole object, which no JSON can hold.
        for name in [name for name, value in log_data.items() if not isinstance(value, _PLAIN)]:
            del log_data[name]
        log_data["level"] = record.levelname.lower()
        log_data["logger"] = record.name


class _Console(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        about = " ".join(f"{key}={value}" for key in FIELDS if (value := getattr(record, key, None)))
        first, _, rest = line.partition("\n")
        shown = f"{_printable(first)}  {_printable(about)}".rstrip()
        return f"{shown}\n{rest}" if rest else shown


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)
