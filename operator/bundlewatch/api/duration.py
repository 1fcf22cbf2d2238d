"""Durations as Kubernetes people write them: `90s`, `5m`, `1h30m`, `1.5h`.

The subset of Go's time.ParseDuration that makes sense for waiting: no sign, no days (Go has none either), no
unit below milliseconds. The CRD's rule uses the same grammar and Go's own parser.
"""

import re
from typing import Final

GRAMMAR: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$"
"""Digits are counted so that no text of MAX_LENGTH overflows Go's 64-bit nanoseconds (292 years)."""

MAX_LENGTH: Final = 20

_PART: Final = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ms|s|m|h)")
_UNIT_US: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}


def seconds(text: str) -> float:
    """The duration in seconds. Raises ValueError when `text` is not one."""
    if len(text) > MAX_LENGTH or not re.fullmatch(GRAMMAR, text):
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    # In whole microseconds, as exact as the API server's own sum: 62.1ms9937.9ms is 10 s, not a little less.
    parts = ((int(whole + thousandths.ljust(3, "0")), unit) for whole, thousandths, unit in _PART.findall(text))
    return sum(number * _UNIT_US[unit] // 1000 for number, unit in parts) / 1_000_000
