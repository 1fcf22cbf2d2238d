"""Text, character by character: digits before upper-case letters before lower-case ones, the order of ASCII."""

from dataclasses import dataclass
from typing import Final

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.order import Key
from bundlewatch.policy.ranges import Range


@dataclass(frozen=True, slots=True)
class Alphabetical:
    name: str = "alphabetical"
    recognises: bool = False

    def key(self, text: str) -> Key | None:
        return (text,) if text else None

    def read(self, text: str) -> tuple[str, Key] | None:
        return (text, (text,)) if text else None

    def why_not(self, _text: str) -> str:
        return "is empty"

    def precedence(self, _key: Key) -> None:
        return None

    def limits(self, _text: str) -> Range:
        raise InvalidRange("order alphabetical knows no ranges; remove it, or use order semver or calver")


ALPHABETICAL: Final = Alphabetical()
