"""Looks into the body of an object that others write: what has an unexpected shape reads as absent.

A controller of another version, a person with `kubectl edit` or a bug may leave anything in a status. One
strange Application must not keep the others from being read, so nothing here ever fails.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime


def mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[object]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def text(value: object) -> str:
    return value if isinstance(value, str) else ""


def word(value: object) -> str:
    """A text that thousands of objects share, and each holds several times: kept once for all."""
    return sys.intern(str(value)) if isinstance(value, str) else ""


def optional_word(value: object) -> str | None:
    return sys.intern(str(value)) if isinstance(value, str) else None


def words(value: object) -> dict[str, str]:
    return {word(key): word(entry) for key, entry in mapping(value).items()}


def time(value: object) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return parsed.replace(tzinfo=UTC) if parsed is not None and parsed.tzinfo is None else parsed
