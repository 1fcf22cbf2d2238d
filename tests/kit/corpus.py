"""Made-up versions and constraints, many and hard: all that the grammar of Helm's ranges knows, what it nearly knows,
and versions so close to a constraint that either answer may be right.

One seed, one sequence of texts. Knows neither the operator's reader nor the library.
"""

from __future__ import annotations

import re
from itertools import product
from random import Random

OPERATORS = ("", "=", "!=", ">", "<", ">=", "=>", "<=", "=<", "~", "~>", "^")
NO_OPERATORS = ("==", "!", "<>", "=~", "~=", "=!", "^^", ">>", "~^", "><", "-")
WILDCARDS = ("x", "X", "*")
NO_NUMBERS = ("xx", "x1", "1x", "*.", "|", "1|", "x|", "", "-1", "٣")
BORDERS = (*(2**exponent + step for exponent in (32, 63, 64) for step in (-1, 0, 1)), 10**25)
IDENTIFIERS = ("0", "1", "2", "9", "10", "a", "b", "A", "Z", "rc", "rc1", "x", "X", "0a", "00a", "-", "--")
IDENTIFIERS_WITH_HYPHENS = ("1-2", "-0", "0-", "rc-1", "x-x")
NO_IDENTIFIERS = ("", "01", "00", "*", "é", "a_b")
SPACES = (" ", " ", " ", "  ", "\t", "\n", "\r\n", "\f", " \t ")
NO_SPACES = ("\v", "\x85", "\u00a0", "\u2003", "\0")
HYPHENS = (" - ", " - ", " - ", "  -  ", "\t- ", " -\n", " -", "- ", "-", " – ", " - - ")
BARS = ("||", " || ", " || ", "|| ", " ||", "\t||\n", " | ", "| |", "|||")
ALPHABET = "0123456789.xX*vV-+|, \t=!<>~^" + "_/;:()[]&%abrc\"'\\\n\r\f\v\0\x7f\x85\u00a0\u2003éßſ٣１–😀"
STEPS = (*[0] * 8, 1, -1)
LONGEST_CONSTRAINT_BYTES = 512
LONGEST_VERSION_BYTES = 256
MOST_ALTERNATIVES = 32

_VERSION_LIKE = re.compile(r"([0-9xX*]+)(?:\.([0-9xX*]+))?(?:\.([0-9xX*]+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?")


class Corpus:
    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def version(self) -> str:
        """A text that is a version, or nearly one."""
        return self._now_and_then_spoilt(self._version(), rate=0.3)

    def constraint(self) -> str:
        """A text that is a constraint, or nearly one."""
        count = self._random.choices((1, 2, 3, MOST_ALTERNATIVES, MOST_ALTERNATIVES + 1), (70, 20, 10, 0.3, 0.3))[0]
        text = self._group()
        for _ in range(count - 1):
            text += self._pick(BARS, plain=6) + (self._group() if count <= 3 else self._condition())
        if self._rarely(0.1):
            text = self._pick(SPACES) + text
        if self._rarely(0.1):
            text += self._pick(SPACES)
        if self._rarely(0.02):
            text += " " * (LONGEST_CONSTRAINT_BYTES - len(text.encode()) + self._random.randint(-1, 1))
        return self._now_and_then_spoilt(text, rate=0.2)

    def small_constraint(self) -> str:
        """One of few small numbers, so that its conditions often contradict each other: for `neighbours`."""
        conditions = [self._small_condition() for _ in range(self._random.randint(1, 4))]
        group = ", ".join(conditions)
        return f"{group} || {self._small_condition()}, {self._small_condition()}" if self._rarely(0.2) else group

    def near(self, constraint: str, count: int) -> list[str]:
        """Versions around those that the constraint names, now and then a text that is none."""
        named = _VERSION_LIKE.findall(constraint) or [("1", "2", "3", "")]
        return [self._near(*self._random.choice(named)) for _ in range(count)]

    def pair(self) -> tuple[str, str]:
        """Two versions that differ in little."""
        one = self._version()
        return one, self.near(one, 1)[0] if self._rarely(0.9) else self._version()

    def _near(self, major: str, minor: str, patch: str, prerelease: str) -> str:
        if self._rarely(0.03):
            return self.version()
        numbers = [self._number_near(number) for number in (major, minor, patch)]
        text = ".".join(map(str, numbers))
        if self._rarely(0.1):
            text = text.removesuffix(".0")
        if self._rarely(0.1):
            text = self._random.choice(("v", "0")) + text
        if self._rarely(0.45 if prerelease else 0.3):
            text += f"-{self._prerelease_near(prerelease)}"
        if self._rarely(0.1):
            text += f"+{self._identifiers()}"
        return text

    def _number_near(self, number: str) -> int:
        here = int(number) if number.isdecimal() else self._random.choice((0, 0, 1))
        return max(0, here + self._random.choice(STEPS))

    def _prerelease_near(self, prerelease: str) -> str:
        if not prerelease or self._rarely(0.2):
            return self._random.choice(("0", self._identifiers()))
        *before, last = prerelease.split(".")
        nearby = [prerelease, f"{prerelease}.0", f"{prerelease}0", f"{prerelease}-", f"{prerelease}.{last}"]
        if before:
            nearby.append(".".join(before))
        if last.isdecimal():
            nearby.append(".".join([*before, str(max(0, int(last) + self._random.choice((-1, 1))))]))
        return self._random.choice(nearby)

    def _group(self) -> str:
        pieces = [self._piece() for _ in range(self._random.choices((1, 2, 3), (60, 30, 10))[0])]
        text = pieces[0]
        for piece in pieces[1:]:
            text += self._separator() + piece
        return text

    def _piece(self) -> str:
        if self._rarely(0.15):
            return self._open_version() + self._pick(HYPHENS, plain=3) + self._open_version()
        return self._condition()

    def _condition(self) -> str:
        operator = self._random.choice(NO_OPERATORS if self._rarely(0.01) else OPERATORS)
        gap = self._random.choice(SPACES) if self._rarely(0.15) else ""
        return operator + gap + self._open_version()

    def _small_condition(self) -> str:
        numbers = ".".join(
            str(self._random.randint(0, 2)) for _ in range(self._random.choices((1, 2, 3), (1, 2, 4))[0])
        )
        return self._random.choice((*OPERATORS, "!=", "!=")) + numbers + self._random.choice(("", "", "", "-0", "-a"))

    def _separator(self) -> str:
        if self._rarely(0.02):
            return self._random.choice(("", ",,", *NO_SPACES))
        spaces = [self._random.choice(SPACES) if self._rarely(0.5) else "" for _ in range(2)]
        return ",".join(spaces) if self._rarely(0.5) else " ".join(spaces)

    def _open_version(self) -> str:
        return self._version(wildcards=0.12)

    def _version(self, *, wildcards: float = 0.0) -> str:
        count = self._random.choices((1, 2, 3, 4), (20, 25, 54, 1))[0]
        text = ".".join(self._number(wildcards=wildcards) for _ in range(count))
        if self._rarely(0.1):
            text = f"v{text}"
        if self._rarely(0.3):
            text += f"-{self._identifiers()}"
        if self._rarely(0.1):
            text += f"+{self._identifiers()}"
        if self._rarely(0.002):
            missing = LONGEST_VERSION_BYTES - len(text) + self._random.randint(-1, 1)
            text += ("" if "-" in text or "+" in text else "-") + "a" * missing
        return text

    def _number(self, *, wildcards: float) -> str:
        if self._rarely(wildcards):
            return self._random.choice(WILDCARDS)
        if self._rarely(0.005):
            return self._random.choice(NO_NUMBERS)
        if self._rarely(0.03):
            return str(self._random.choice(BORDERS))
        number = str(self._random.choice((0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 9, 10, 11)))
        return self._random.choice(("0", "00")) + number if self._rarely(0.03) else number

    def _identifiers(self) -> str:
        return ".".join(self._identifier() for _ in range(self._random.choices((1, 2, 3), (6, 3, 1))[0]))

    def _identifier(self) -> str:
        if self._rarely(0.01):
            return self._random.choice(NO_IDENTIFIERS)
        if self._rarely(0.05):
            return str(self._random.choice(BORDERS))
        return self._random.choice(IDENTIFIERS_WITH_HYPHENS if self._rarely(0.05) else IDENTIFIERS)

    def _now_and_then_spoilt(self, text: str, *, rate: float) -> str:
        """One or two characters left out, put in or replaced."""
        if not self._rarely(rate):
            return text
        for _ in range(self._random.choices((1, 2), (3, 1))[0]):
            place = self._random.randint(0, len(text))
            behind = place + self._random.randint(0, 1)
            text = text[:place] + (self._random.choice(ALPHABET) if self._rarely(0.7) else "") + text[behind:]
        return text

    def _pick(self, choices: tuple[str, ...], *, plain: int = 0) -> str:
        """One of the choices; mostly one of the first, where the number of `plain` ones is given."""
        return self._random.choice(choices[:plain] if plain and self._rarely(0.9) else choices)

    def _rarely(self, rate: float) -> bool:
        return self._random.random() < rate


def neighbours(constraint: str) -> list[str]:
    """The releases that differ by at most one from the constraint's numbers, place by place, and the prereleases of
    each at and right above those that the constraint names. Where a small constraint admits anything, it admits one.
    """
    named = _VERSION_LIKE.findall(constraint)
    numbers = [sorted(_around(place)) for place in list(zip(*named, strict=True))[:3]]
    words = sorted({"0", *(prerelease for *_, prerelease in named if prerelease)})
    tails = ["", *(f"-{word}{more}" for word in words for more in ("", ".0", ".0.0"))]
    return [f"{'.'.join(map(str, three))}{tail}" for three in product(*numbers) for tail in tails]


def _around(texts: tuple[str, ...]) -> set[int]:
    numbers = {int(text) for text in texts if text.isdecimal()}
    return {0, 1} | {number + step for number in numbers for step in (-1, 0, 1) if number + step >= 0}
