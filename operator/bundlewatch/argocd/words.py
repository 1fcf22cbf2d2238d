"""Argo CD's own words, made fit to be shown and to be compared with the words of a minute ago.

Its messages wrap the cause in three layers of callers, name a fresh temporary directory at every attempt
and may run to pages. Status shows the cause, in one line; and an error that repeats must read the same each
time, or an Application that cannot be rendered would make us write its status at every resync.
"""

import re

from bundlewatch.api.text import clean

_RAW_LIMIT = 4000
_WRAPPERS = re.compile(
    r"^(?:Failed to load target state: )?(?:failed to generate manifest for source \d+ of \d+: )?"
    r"(?:rpc error: code = \w+ desc = )?"
)
_MASKS = (
    (re.compile(r"//[^/\s@]+@"), "//***@"),  # credentials within an address
    (re.compile(r"(?i)\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "…"),  # directories, request ids
    (re.compile(r"/(tmp|dev/shm)/[^/\s:\"'`]*\d[^/\s:\"'`]*"), r"/\1/…"),
    (re.compile(r":\d+->"), "->"),  # the near end of a connection has another port each time
)


def readable(text: str, *, max_length: int) -> str:
    """`text` in one line without wrappers and what chance put in; too long, it loses its middle."""
    if not text:
        return ""
    text = _WRAPPERS.sub("", text[:_RAW_LIMIT], count=1)
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    text = clean(text, max_length=_RAW_LIMIT)
    text = " ".join(text.split())
    if len(text) <= max_length:
        return text
    # The command stands at the front, what went wrong with it at the end.
    tail = max_length * 3 // 5
    return f"{text[: max_length - tail - 3].rstrip()} … {text[-tail:].lstrip()}"
