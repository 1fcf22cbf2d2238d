"""Durations as Kubernetes people write them: `90s`, `5m`, `1h30m`, `1.5h`.

The subset of Go's time.ParseDuration that makes sense for waiting: no sign, no days (Go has none either), no
unit below milliseconds. The CRD's rule uses the same grammar and Go's own parser.
"""

import re
from typing import Final

GRAMMAR: Final = r"^([0-9]{1,6}(\.[0-9]{1,3})?(ms|s|m|h))+$"
"""Digits are counted so that no text of MAX_LENGTH overflows Go's 64-bit nanoseconds (292 years)."""

MAX_LENGTH: Final = 20

_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNIT_S: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """The duration in seconds. Raises ValueError when `text` is not one."""
    if len(text) > MAX_LENGTH or not re.fullmatch(GRAMMAR, text):
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m or 1h30m")
    return sum(float(number) * _UNIT_S[unit] for number, unit in _PART.findall(text))
