"""Reads `WWW-Authenticate`: what a registry asks for, in every shape registries write it.

Several header lines, several challenges in one line, any case, quoted strings with escapes or none, blanks
around `=`, missing quotes. Chooses Bearer, else Basic; everything else is for somebody else. Knows nothing of
credentials. Rules: RFC 9110 §11.6.1, distribution's token specification.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_MAX_CHALLENGES = 16
_SCHEME = re.compile(r"[\s,]*([A-Za-z][A-Za-z0-9_-]*)(?=[\s,]|$)")
_PARAMETER = re.compile(r"""[\s,]*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([^\s,"]*))""")
_OTHER = re.compile(r"[\s,]*[^\s,]+")  # a token68 of another scheme, or debris


@dataclass(frozen=True, slots=True)
class Challenge:
    scheme: str  # lower-case
    parameters: Mapping[str, str]  # names in lower case; of a repeated one the first


def parse(lines: Iterable[str]) -> tuple[Challenge, ...]:
    """All challenges in the order given; what cannot be read is left out."""
    found: list[Challenge] = []
    for line in lines:
        position = 0
        parameters: dict[str, str] | None = None
        while position < len(line) and len(found) <= _MAX_CHALLENGES:
            if (match := _PARAMETER.match(line, position)) is not None and parameters is not None:
                value = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
                parameters.setdefault(match[1].lower(), value)
            elif match is None and (match := _SCHEME.match(line, position)) is not None:
                parameters = {}
                found.append(Challenge(match[1].lower(), parameters))
            elif match is None and (match := _OTHER.match(line, position)) is None:
                break
            position = match.end()
    return tuple(found)


def choose(challenges: Iterable[Challenge]) -> Challenge | None:
    """The one to answer: the first Bearer that names a realm, else the first Basic; None: we know neither."""
    basic: Challenge | None = None
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
            return challenge
        if challenge.scheme == "basic" and basic is None:
            basic = challenge
    return basic
