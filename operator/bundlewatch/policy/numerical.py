"""Numbers: integers and decimals of any size, compared exactly. `7`, `007` and `7.0` are equal."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.order import Key
from bundlewatch.policy.ranges import Range

_NUMBER: Final = re.compile(r"[0-9]++(?:\.[0-9]++)?")


@dataclass(frozen=True, slots=True)
class Numerical:
    name: str = "numerical"
    recognises: bool = False

    def key(self, text: str) -> Key | None:
        # Made from text a Decimal is exact, and so is comparing two; only arithmetic would round.
        return (Decimal(text),) if _NUMBER.fullmatch(text) else None

    def read(self, text: str) -> tuple[str, Key] | None:
        key = self.key(text)
        return None if key is None else (text, key)

    def why_not(self, _text: str) -> str:
        return "is no number such as 42 or 3.14"

    def precedence(self, _key: Key) -> None:
        return None

    def limits(self, _text: str) -> Range:
        raise InvalidRange("order numerical knows no ranges; remove it, or use order semver or calver")


NUMERICAL: Final = Numerical()
