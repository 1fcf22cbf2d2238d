"""Versions: how text becomes one, and which of two is newer.

Precedence is SemVer 2.0.0, section 11, exactly. What counts as a version is Helm's rule, the behaviour of
github.com/Masterminds/semver v3.5.0: *strict* is SemVer itself, *loose* also takes a leading `v`, missing minor
and patch numbers and leading zeros in those three numbers. A number above 2^64-1 makes the text no version, there
and here. One difference is meant: a numeric prerelease identifier of 2^64 or more stays a number here, as
SemVer says, where that library starts to compare it as letters.

Knows nothing of tags but one thing: `+` cannot stand in a tag, so Helm and everyone after it writes `_`.
"""

import re
from dataclasses import dataclass, field
from typing import Final

Identifiers = tuple[tuple[int, int | str], ...]
"""Dot-separated identifiers in comparable form: (0, number) before (1, text)."""

Precedence = tuple[int, int, int, Identifiers]
"""Major, minor, patch, prerelease. Plain tuple order is SemVer's order; equal tuples, equal precedence."""

Order = tuple[int, int, int, Identifiers, Identifiers]
"""A `Precedence`, then build metadata: SemVer calls them equal, and one of them has to be preferred."""

SortKey = tuple[int, int, int, Identifiers, Identifiers, bool]
"""A `Precedence`, then what breaks a tie: build metadata, and whether the text is strict SemVer."""

RELEASE: Final[Identifiers] = ((2, 0),)
"""What a version without a prerelease has in its place: above every prerelease."""

LOWEST_PRERELEASE: Final[Identifiers] = ((0, 0),)
"""`-0`: nothing of the same three numbers comes before it."""

LOWEST: Final[Precedence] = (0, 0, 0, LOWEST_PRERELEASE)

LARGEST_NUMBER: Final = 2**64 - 1
LONGEST_TEXT: Final = 256
_DIGITS_OF_ANY_NUMBER: Final = 19  # so many digits are never more than LARGEST_NUMBER

# Classes are spelt out: \d would take digits of every script. Quantifiers are possessive: one pass, no second try.
_WORD: Final = r"[0-9A-Za-z-]++"
_PRERELEASE_WORD: Final = rf"(?!0[0-9]++(?![0-9A-Za-z-])){_WORD}"
_TAIL: Final = rf"(?:-({_PRERELEASE_WORD}(?:\.{_PRERELEASE_WORD})*+))?(?:\+({_WORD}(?:\.{_WORD})*+))?"
_STRICT: Final = re.compile(r"(0|[1-9][0-9]*+)\.(0|[1-9][0-9]*+)\.(0|[1-9][0-9]*+)" + _TAIL)
_LOOSE: Final = re.compile(r"v?([0-9]++)(?:\.([0-9]++))?(?:\.([0-9]++))?" + _TAIL)
_LOOSE_BUT_ZERO_LED: Final = re.compile(
    rf"v?[0-9]++(?:\.[0-9]++)?(?:\.[0-9]++)?-(?:{_WORD}\.)*?(0[0-9]++)(?![0-9A-Za-z-]).*"
)


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """A version. Compares by precedence alone: `1.0.0+a` and `1.0.0+b` are equal and of one hash, as SemVer asks."""

    precedence: Precedence
    prerelease: str = field(default="", compare=False)
    build: str = field(default="", compare=False)

    @property
    def major(self) -> int:
        return self.precedence[0]

    @property
    def minor(self) -> int:
        return self.precedence[1]

    @property
    def patch(self) -> int:
        return self.precedence[2]

    @property
    def order(self) -> Order:
        """Where it stands among versions here: by precedence, and of equal ones by build metadata."""
        return (*self.precedence, identifiers(self.build) if self.build else ())

    def __str__(self) -> str:
        """The version as SemVer writes it, whatever the text was."""
        prerelease = f"-{self.prerelease}" if self.prerelease else ""
        build = f"+{self.build}" if self.build else ""
        return f"{self.major}.{self.minor}.{self.patch}{prerelease}{build}"


def parse_strict(text: str) -> Version | None:
    """The version that `text` is by SemVer 2.0.0, or None."""
    return _version(text, form=_STRICT)


def parse_loose(text: str) -> Version | None:
    """The version that `text` is to Helm (`v1`, `1.2`, `01.2.3-rc.1`), or None."""
    return _version(text, form=_LOOSE)


def sort_key(text: str) -> SortKey | None:
    """The loose version in `text` as a tuple that sorts, or None. Lists of 100,000 tags go through here.

    Ties of precedence are broken by build metadata, compared as prerelease identifiers are and none before any;
    then strict SemVer comes after (is preferred to) a loose spelling.
    """
    if len(text) > LONGEST_TEXT:
        return None
    match = _STRICT.fullmatch(text)
    strict = match is not None
    if match is None:
        match = _LOOSE.fullmatch(text)
        if match is None:
            return None
    major, minor, patch, prerelease, build = match.groups()
    numbers = (int(major), int(minor or 0), int(patch or 0))
    if len(text) > _DIGITS_OF_ANY_NUMBER and max(numbers) > LARGEST_NUMBER:
        return None
    return (
        *numbers,
        RELEASE if prerelease is None else identifiers(prerelease),
        () if build is None else identifiers(build),
        strict,
    )


def from_tag(text: str) -> str:
    """The version text that a tag, or the part of it that a pattern caught, stands for: `_` was a `+` once."""
    return text.replace("_", "+")


def why_not(text: str) -> str:
    """Why `parse_loose` says None to `text`: the end of a sentence that begins with the text."""
    if len(text) > LONGEST_TEXT:
        return f"is no version: longer than {LONGEST_TEXT} characters"
    if _LOOSE.fullmatch(text) is not None:
        return f"is no version to Helm: a number in it is above {LARGEST_NUMBER}"
    if (zero_led := _LOOSE_BUT_ZERO_LED.fullmatch(text)) is not None:
        return f"is no semantic version: {zero_led[1]} in its prerelease has a leading zero"
    return "is no semantic version such as 1.2.3"


def _version(text: str, *, form: re.Pattern[str]) -> Version | None:
    if len(text) > LONGEST_TEXT or (match := form.fullmatch(text)) is None:
        return None
    major, minor, patch, prerelease, build = match.groups()
    numbers = (int(major), int(minor or 0), int(patch or 0))
    if max(numbers) > LARGEST_NUMBER:
        return None
    rank = RELEASE if prerelease is None else identifiers(prerelease)
    return Version((*numbers, rank), prerelease=prerelease or "", build=build or "")


def identifiers(text: str) -> Identifiers:
    """Dot-separated identifiers in the form in which they compare."""
    return tuple((0, int(word)) if word.isdecimal() else (1, word) for word in text.split("."))
