"""JSON from a registry, measured before it is parsed.

A few megabytes of brackets become hundreds of megabytes of dicts and lists, and a parser cannot be stopped half way.
So what makes objects is counted in the bytes first: all but the first object in a document needs a bracket or a comma
of its own. Marks within texts count too, so the bounds are far above what anybody publishes.
"""

import json
from typing import Final

_BRACKETS: Final = 100_000  # an answer of Google's registries has three for every manifest, beside its thousand tags
_COMMAS: Final = 100_000
FRONT: Final = "check that no proxy and no login page stands in front of the registry"
"""The cure where the answer is not the registry's own."""


class DocumentError(ValueError):
    """It is no JSON, or too much of it; the message says which, to go on after "… that". `cure`: what may help."""

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure

    @property
    def with_cure(self) -> str:
        return f"{self}; {self.cure}" if self.cure else str(self)


def load(body: bytes, *, commas: int = _COMMAS) -> object:
    """The document in a body. Raises DocumentError, before anything is made of it where it has too many parts."""
    if body.count(b",") > commas or body.count(b"{") + body.count(b"[") > _BRACKETS:
        raise DocumentError("has more parts than are read")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise DocumentError("is no JSON", cure=FRONT) from None
