"""Text of strangers, made fit to be stored and shown: bounded, printable, one line.

Tags, chart names and messages come from registries and from Argo CD. A status that is refused by the API
server because of one long message would be a status lost, so text is cut here, visibly, and never refused.
"""

import sys
from collections.abc import Callable, Sequence


def clean(text: str, *, max_length: int) -> str:
    """`text` as one printable line of at most `max_length` code points, an ellipsis where it was cut."""
    if not text.isprintable():  # control and bidi characters, line ends, halves of surrogate pairs
        text = "".join(character if character.isprintable() else " " for character in text)
    text = text.strip()
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


def cleaner(max_length: int) -> Callable[[object], object]:
    """A pydantic before-validator doing `clean`; what is no text is left for the type to refuse.

    Equal texts become one object in memory: a status repeats its tags, words and sentences ten times over.
    """

    def apply(value: object) -> object:
        return sys.intern(clean(value, max_length=max_length)) if isinstance(value, str) else value

    return apply


def first(count: int) -> Callable[[object], object]:
    """A pydantic before-validator keeping the first `count` items of a list."""

    def apply(value: object) -> object:
        return value[:count] if isinstance(value, Sequence) and not isinstance(value, str) else value

    return apply
