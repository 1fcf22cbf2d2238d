"""The language of ranges: text in, comparators out, or an error that points at the character.

The language is Helm's, as github.com/Masterminds/semver v3.5.0 reads it: what that library accepts is accepted,
what it rejects is rejected, also where a reader would expect otherwise. Its first step shapes the rest: a hyphen
range is *rewritten in the text* (`1 - 2` becomes `>= 1, <= 2 `) before anything else is looked at. That is why
`>1, 1 - 2` is a range and `>1 1 - 2` is not, and why `1||2 - 3` means `>=1 || 2, <=3`: write spaces around `||`.

Says nothing about which versions a comparator admits.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NoReturn

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.version import RELEASE, Precedence, parse_loose, why_not

LONGEST_RANGE_BYTES: Final = 512
MOST_GROUPS: Final = 32

LONGEST_QUOTE: Final = 128

_OPERATORS: Final = ("=", "!=", ">", "<", ">=", "<=", "=>", "=<", "~", "~>", "^")
_SPELLINGS: Final = {"": "=", "=>": ">=", "=<": "<=", "~>": "~"}

_BEFORE_HYPHEN: Final = "a hyphen range begins here and cannot follow directly; put a comma, and no operator, before it"


class Open(IntEnum):
    """The first of the three numbers that a comparator leaves open: not written, or written as x, X or *."""

    MAJOR = 0
    MINOR = 1
    PATCH = 2
    NOTHING = 3


@dataclass(frozen=True, slots=True)
class Comparator:
    """One condition, such as `>=1.2`. Numbers left open are 0 in `precedence`."""

    operator: str  # = != > < >= <= ~ ^
    precedence: Precedence
    open: Open

    @property
    def names_prerelease(self) -> bool:
        return self.precedence[3] != RELEASE


# What Go's \s takes. Quantifiers are possessive: what follows a piece is never a character that the piece could
# give back, so the answer is the same and the time linear.
_SPACE: Final = r"[\t\n\f\r ]"
_NUMBER: Final = r"[0-9|xX*]++"
_WORDS: Final = r"[0-9A-Za-z-]++(?:\.[0-9A-Za-z-]++)*+"
_VERSION: Final = rf"v?(?:{_NUMBER})(?:\.{_NUMBER})?+(?:\.{_NUMBER})?+(?:-{_WORDS})?+(?:\+{_WORDS})?+"
_HYPHEN_RANGE: Final = re.compile(rf"{_SPACE}*({_VERSION}){_SPACE}++-{_SPACE}++({_VERSION}){_SPACE}*+")
_COMPARATOR: Final = re.compile(
    rf"(?P<operator>!=|>=|=>|<=|=<|~>|[=><~^]|){_SPACE}*+"
    rf"(?P<version>v?(?P<major>{_NUMBER})(?:\.(?P<minor>{_NUMBER}))?+(?:\.(?P<patch>{_NUMBER}))?+"
    rf"(?P<prerelease>-{_WORDS})?+(?:\+{_WORDS})?+)"
)
_SPACES: Final = re.compile(rf"{_SPACE}*+")
_OPERATOR_LIKE: Final = re.compile(r"[=!<>~^]++")
_WORD_LIKE: Final = re.compile(r"[^\t\n\f\r ,|]++")


def parse(text: str) -> tuple[tuple[Comparator, ...], ...]:
    """The alternatives of a range, each a group of comparators that must all hold. Raises InvalidRange."""
    if len(text.encode(errors="replace")) > LONGEST_RANGE_BYTES:
        raise InvalidRange(f"the range is longer than {LONGEST_RANGE_BYTES} bytes; write a shorter one")
    if not text.strip():
        raise InvalidRange("the range is empty; leave it out, or write * for every release")
    return _Reading(text).groups()


class _Reading:
    """One text on its way to comparators: hyphen ranges rewritten, each character knowing where it came from."""

    def __init__(self, original: str) -> None:
        self.original = original
        pieces: list[str] = []
        self.origin: list[int] = []
        end = 0
        for match in _HYPHEN_RANGE.finditer(original):
            for piece, start, written in (
                (original[end : match.start()], end, True),
                (">= ", match.start(1), False),
                (match[1], match.start(1), True),
                (", <= ", match.start(2), False),
                (match[2], match.start(2), True),
                (" ", match.end(2), False),
            ):
                pieces.append(piece)
                self.origin += range(start, start + len(piece)) if written else [start] * len(piece)
            end = match.end()
        pieces.append(original[end:])
        self.origin += range(end, len(original) + 1)
        self.text = "".join(pieces)

    def groups(self) -> tuple[tuple[Comparator, ...], ...]:
        alternatives = self.text.split("||")
        if len(alternatives) > MOST_GROUPS:
            raise InvalidRange(f"the range has more than {MOST_GROUPS} alternatives between ||; write fewer")
        groups: list[tuple[Comparator, ...]] = []
        start = 0
        for alternative in alternatives:
            groups.append(tuple(self._group(start, start + len(alternative))))
            start += len(alternative) + len("||")
        return tuple(groups)

    def _group(self, start: int, end: int) -> Iterator[Comparator]:
        position = self._skip_spaces(start, end)
        if position == end:
            self._refuse(start, "an alternative of || is empty; write a version there, or leave the || out")
        while True:
            match = _COMPARATOR.match(self.text, position, end)
            if match is None:
                self._refuse_no_comparator(position, end)
            yield self._comparator(match)
            position = self._skip_spaces(match.end(), end)
            if position == end:
                return
            if self.text[position] == ",":
                comma = position
                position = self._skip_spaces(comma + 1, end)
                if position == end:
                    self._refuse(comma, "nothing follows the comma; write a condition there, or leave it out")
            elif position == match.end():
                self._refuse_no_separator(position, match)

    def _comparator(self, match: re.Match[str]) -> Comparator:
        """The library reads numbers up to the first open one and never looks at those behind it; so do we."""
        numbers: list[str] = []
        for part in ("major", "minor", "patch"):
            number = match[part]
            if number is None or number in ("x", "X", "*"):
                break
            if not number.isdecimal():
                cure = "write || for alternatives" if "|" in number else "write digits, or x or * alone"
                self._refuse(match.start(part), f"{number!r} is neither a number nor a wildcard; {cure}")
            numbers.append(number)
        opened = Open(len(numbers))
        text = match["version"]
        if opened is not Open.NOTHING:
            text = ".".join([*numbers, *["0"] * (3 - len(numbers))]) + (match["prerelease"] or "")
        version = parse_loose(text)
        if version is None:
            self._refuse(match.start("version"), f"{shown(match['version'])} {why_not(text)}; correct it")
        operator = _SPELLINGS.get(match["operator"], match["operator"])
        return Comparator(operator=operator, precedence=version.precedence, open=opened)

    def _skip_spaces(self, start: int, end: int) -> int:
        match = _SPACES.match(self.text, start, end)
        return start if match is None else match.end()

    def _refuse_no_comparator(self, position: int, end: int) -> NoReturn:
        if self._is_rewritten(position):
            self._refuse(position, _BEFORE_HYPHEN)
        operator = _OPERATOR_LIKE.match(self.text, position, end)
        if operator is None:
            word = _WORD_LIKE.match(self.text, position, end)
            found = shown(word[0] if word else self.text[position])
            if found.startswith("'-"):
                self._refuse(position, "a hyphen range wants a space on both sides of -; write like 1.0 - 2.0")
            self._refuse(position, f"{found} is no version; write one such as 1.2.3, 1.2 or 1.x")
        if any(map(self._is_rewritten, range(operator.start(), operator.end() + 1))):
            self._refuse(position, _BEFORE_HYPHEN)
        if operator[0] not in _OPERATORS:
            self._refuse(position, f"{operator[0]!r} is no operator; use one of {' '.join(_OPERATORS)}")
        self._refuse(operator.end(), f"no version follows {operator[0]!r}; write one such as {operator[0]}1.2.3")

    def _refuse_no_separator(self, position: int, match: re.Match[str]) -> NoReturn:
        character = self.text[position]
        if self._is_rewritten(position):
            self._refuse(position, _BEFORE_HYPHEN)
        if _OPERATOR_LIKE.match(character):
            self._refuse(position, f"{character!r} follows a version directly; put a space or a comma between")
        if character == "." and match["patch"] is not None and match["prerelease"] is None:
            self._refuse(position, "a version has three numbers; leave the rest out, or write it after + or -")
        if character == "_":
            self._refuse(position, "'_' stands in no version; build metadata begins with + here")
        self._refuse(position, f"{character!r} stands in no version; leave it out, or put a space or a comma before it")

    def _is_rewritten(self, position: int) -> bool:
        return position < len(self.text) and self.text[position] != self.original[self.origin[position]]

    def _refuse(self, position: int, problem: str) -> NoReturn:
        raise InvalidRange(f"range {shown(self.original)}, position {self.origin[position] + 1}: {problem}")


def shown(text: str) -> str:
    """Text as an error message quotes it: escaped, and cut to a length that a status line bears."""
    return ascii(text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…")
