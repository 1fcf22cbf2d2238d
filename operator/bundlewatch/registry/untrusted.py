"""Text from a registry, made fit for one line of a log, a condition or an error: printable, short, no secrets.

A registry may answer anything: terminal escapes, line breaks that forge log entries, megabytes, or the very
credential it was sent. Knows nothing of what the text means. Rule: every string of a registry passes here
before a person sees it.
"""

from collections.abc import Iterable

_SHORTEST_SECRET = 4  # shorter ones would blacken ordinary words, and protect nothing


def clean(text: str, limit: int, *, hide: Iterable[str] = ()) -> str:
    """`text` without control and format characters, `hide` blacked out, cut to `limit` characters.

    Secrets are hidden before the cut, so that no part of one survives at the end, and after the cleaning, in the
    form they have then: a service account's key runs over many lines.
    """
    text = _one_line(text)
    for secret in sorted({_one_line(secret) for secret in hide}, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[hidden]")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _one_line(text: str) -> str:
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(text.split())
