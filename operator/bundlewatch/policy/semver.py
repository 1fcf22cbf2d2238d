"""Semantic versions, the order of Helm charts: precedence by SemVer 2.0.0, texts as Helm reads them.

Ties of precedence are broken by build metadata, then a strict spelling is preferred to a loose one; the rest is
in `version` and `ranges`.
"""

from dataclasses import dataclass
from typing import Final

from bundlewatch.policy import version
from bundlewatch.policy.order import Key
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.version import from_tag


@dataclass(frozen=True, slots=True)
class Semver:
    name: str = "semver"
    recognises: bool = True

    def key(self, text: str) -> Key | None:
        return version.sort_key(from_tag(text))

    def read(self, text: str) -> tuple[str, Key] | None:
        found = version.parse_loose(from_tag(text))
        return None if found is None else (str(found), found.order)

    def why_not(self, text: str) -> str:
        return version.why_not(from_tag(text))

    def precedence(self, key: Key) -> Key:
        return key  # it begins with one, which is enough

    def limits(self, text: str) -> Range:
        return Range.parse(text)


SEMVER: Final = Semver()
