"""Calendar versions: a date first, then whatever the project counts. The schemes of https://calver.org.

    calver    = [ "v" ] ( packed / year number ) *number [ "Z" ] [ modifier ] [ build ]
    year      = 4 digits from 1000 to 2999, such as 2024; or 1 to 3 digits, counted from 2000: 24, 06, 106
    packed    = YYYYMM / YYYYMMDD, of the years 1900 to 2099; behind the day may stand up to three times two
                digits more, an hour, a minute, a second or a count: one number, 0930 below 093000
    number    = ( "." / "-" / "T" / "W", the letters also behind one of the signs ) and digits
    modifier  = ( "-" / "." ) and words, of which the first begins with a letter, or with a commit: 7 to 40
                hexadecimal digits, one of a to f among them, and no more letters and digits behind them;
                or, directly behind a number: a b c rc alpha beta pre preview or dev, and digits
    build     = ( "+" / "_" ) and words
    words     = letters, digits and hyphens, with single dots between them

T, W and Z may be lower case; v, and the words directly behind a number, have to be. What can be a commit is one;
else what can be a number is one, and is never taken for a part of what follows: `2024.01.15a` is no calendar
version, rather than one of 2024.01.

Numbers are compared one by one, and a missing one is 0. Of equal numbers, what has a modifier is a prerelease and
comes before what has none; modifiers are compared as SemVer compares prereleases, but for letters with a number
behind them, which are two identifiers: rc10 comes after rc9, and rc1, rc01 and rc.1 are equal. Then build metadata.
So `20240115`, `2024-01-15` and `v24.1.15` are equal. Ranges and `prereleases` mean what they mean for SemVer, of the
first three numbers.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.order import Key
from bundlewatch.policy.range_syntax import Comparator, Open, shown
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.version import (
    LONGEST_TEXT,
    LOWEST_PRERELEASE,
    RELEASE,
    Identifiers,
    Precedence,
    from_tag,
    identifiers,
)

_CENTURY: Final = 2000
_LONGEST_SHORT_YEAR: Final = 999

# Quantifiers are possessive and each number is tried once: the time is linear whatever the text.
_DATE: Final = r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:(?:0[1-9]|[12][0-9]|3[01])(?:[0-9]{2}){0,3}+)?+"
_YEAR: Final = r"[12][0-9]{3}|[0-9]{1,3}+"
_SEPARATOR: Final = r"(?:[.-]?[TtWw]|[.-])"
_COMMIT: Final = r"(?=[0-9]*+[a-f])[0-9a-f]{7,40}+(?![0-9A-Za-z])"
_NUMBER: Final = rf"(?![.-]{_COMMIT}){_SEPARATOR}[0-9]++"
_ATTACHED: Final = r"(?:alpha|beta|preview|pre|rc|dev|[abc])[0-9]++"
_WORDS: Final = r"[0-9A-Za-z-]++(?:\.[0-9A-Za-z-]++)*+"
_CALVER: Final = re.compile(
    rf"v?+(?:(?P<date>{_DATE})|(?P<year>{_YEAR})(?={_NUMBER}))(?P<numbers>(?:{_NUMBER})*+)"
    rf"(?:(?P<attached>{_ATTACHED})|[Zz]?+(?:[.-](?=[A-Za-z]|{_COMMIT})(?P<modifier>{_WORDS}))?+)"
    rf"(?:\+(?P<build>{_WORDS}))?+"
)
_DIGITS: Final = re.compile(r"[0-9]+")
_LETTERS_AND_NUMBER: Final = re.compile(r"([A-Za-z]+)([0-9]+)")
_MODIFIER: Final = re.compile(rf"[A-Za-z]|{_COMMIT}")

_PACKED_IN_RANGE: Final = re.compile(_DATE)
_YEAR_IN_RANGE: Final = re.compile(_YEAR)
_DASHED_IN_RANGE: Final = re.compile(r"(?<![0-9A-Za-z.-])v?[0-9.]++-0[0-9]")
_DOTTED: Final = "a date in a range is written with dots, such as 2024.01.15, and of its numbers only three count"


@dataclass(frozen=True, slots=True)
class Calver:
    name: str = "calver"
    recognises: bool = True

    def key(self, text: str) -> Key | None:
        """Year, second and third number, the others, modifier, build metadata."""
        if len(text) > LONGEST_TEXT or (match := _CALVER.fullmatch(from_tag(text))) is None:
            return None
        date, year, numbers, attached, modifier, build = match.groups()
        counted = [] if date is None else _unpacked(date)
        if date is None:
            counted.append(_full(int(year)))
        counted += map(int, _DIGITS.findall(numbers))
        counted += [0] * (3 - len(counted))
        while len(counted) > 3 and counted[-1] == 0:
            counted.pop()
        said = modifier or attached
        return (
            *counted[:3],
            tuple(counted[3:]),
            RELEASE if said is None else _split(identifiers(said)),
            () if build is None else identifiers(build),
        )

    def read(self, text: str) -> tuple[str, Key] | None:
        key = self.key(text)
        return None if key is None else (from_tag(text).removeprefix("v"), key)

    def why_not(self, _text: str) -> str:
        return "is no calendar version such as 2024.01.15, 24.04 or 20240115"

    def precedence(self, key: Key) -> Precedence:
        return (key[0], key[1], key[2], key[4])

    def limits(self, text: str) -> Range:
        try:
            return Range.parse(text, reading=_dated)
        except InvalidRange:
            if _DASHED_IN_RANGE.search(text) is None:
                raise
            raise InvalidRange(f"range {shown(text)}: {_DOTTED}") from None


CALVER: Final = Calver()


def _full(year: int) -> int:
    return year + _CENTURY if year <= _LONGEST_SHORT_YEAR else year


def _unpacked(date: str) -> list[int]:
    """Year, month, day and time of day, as far as they are there; the time is one number, as in 20240115-093000."""
    return [int(part) for part in (date[:4], date[4:6], date[6:8], date[8:]) if part]


def _split(words: Identifiers) -> Identifiers:
    found: list[tuple[int, int | str]] = []
    for kind, word in words:
        match = _LETTERS_AND_NUMBER.fullmatch(word) if isinstance(word, str) else None
        found += [(kind, word)] if match is None else [(1, match[1]), (0, int(match[2]))]
    return tuple(found)


def _dated(comparator: Comparator) -> Comparator:
    """A comparator of a range with its date read as one. Raises InvalidRange, the end of a sentence."""
    if comparator.open is Open.MAJOR:
        return comparator
    first, second, third, prerelease = comparator.precedence
    if prerelease not in (RELEASE, LOWEST_PRERELEASE) and not _MODIFIER.match(str(prerelease[0][1])):
        raise InvalidRange(_DOTTED)
    if _YEAR_IN_RANGE.fullmatch(str(first)) is not None:
        date = [_full(first)]
    elif _PACKED_IN_RANGE.fullmatch(str(first)) is not None:
        date = _unpacked(str(first))
    else:
        raise InvalidRange(f"{first} is no date; write it with dots, such as 2024.01.15")
    numbers = [*date, *(second, third)[: comparator.open - 1]]
    if len(numbers) > Open.NOTHING:
        raise InvalidRange(_DOTTED)
    year, second, third = (*numbers, 0, 0)[:3]
    return replace(comparator, precedence=(year, second, third, _split(prerelease)), open=Open(len(numbers)))
