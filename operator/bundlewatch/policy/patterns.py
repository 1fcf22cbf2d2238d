"""Which tags a person means by their text: an RE2 pattern with a part that is the version, and globs to leave out.

Patterns come from users and run over every tag of a repository, so the engine is RE2: no text can make it slow.
The pattern is searched for anywhere in the tag, as Go's `MatchString` and Flux do; anchor it to match all of it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import re2

from bundlewatch.errors import InvalidPattern

VERSION_GROUP: Final = "version"
_SHOWN: Final = 128
_FLAGS: Final = (
    ("(?=", "look-ahead"),
    ("(?!", "look-ahead"),
    ("(?<=", "look-behind"),
    ("(?<!", "look-behind"),
    ("(?>", "atomic groups"),
)


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A compiled `spec.tags.pattern`; `text` is as the user wrote it."""

    text: str
    _compiled: "re2._Regexp[str]"
    _has_group: bool

    @classmethod
    def compile(cls, text: str) -> "TagPattern":
        """Raises InvalidPattern with what RE2 says, and what to write instead where that is known."""
        compiled = _compile(text, field="spec.tags.pattern", cure=_cure(text))
        return cls(text, compiled, VERSION_GROUP in compiled.groupindex)

    def version_text(self, tag: str) -> str | None:
        """The part of the tag that is its version; None: the tag does not match.

        "" where the pattern matches but its group took no part in it.
        """
        match = self._compiled.search(tag)
        if match is None:
            return None
        return (match.group(VERSION_GROUP) or "") if self._has_group else tag


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Compiled `spec.tags.exclude`: globs on the whole tag, of which `*`, `?` and `[...]` mean something."""

    globs: tuple[str, ...]
    _any: "re2._Regexp[str]"
    _each: "tuple[re2._Regexp[str], ...]"

    @classmethod
    def compile(cls, globs: Sequence[str]) -> "Exclusions | None":
        """None without any glob. Raises InvalidPattern naming the one that is wrong."""
        if not globs:
            return None
        each = tuple(
            _compile(_regex_of(glob), field=f"spec.tags.exclude {_shown(glob)}", cure="a range in [] runs upwards")
            for glob in globs
        )
        together = "|".join(_regex_of(glob) for glob in globs)
        return cls(tuple(globs), _compile(together, field="spec.tags.exclude", cure="write fewer globs"), each)

    def excludes(self, tag: str) -> bool:
        return self._any.fullmatch(tag) is not None

    def excluding(self, tag: str) -> str | None:
        """The first glob that leaves the tag out."""
        found = (glob for glob, each in zip(self.globs, self._each, strict=True) if each.fullmatch(tag))
        return next(found, None)


def _compile(text: str, *, field: str, cure: str) -> "re2._Regexp[str]":
    options = re2.Options()
    options.log_errors = False  # the user is told, not our standard error
    options.never_capture = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        words = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise InvalidPattern(f"{field}: {_shown(text)} is no RE2 expression: {words}; {cure}") from None


def _cure(text: str) -> str:
    for opening, name in _FLAGS:
        if opening in text:
            return (
                f"RE2 has no {name} ({opening} at position {text.index(opening) + 1}): use spec.tags.exclude for that"
            )
    try:
        re.compile(text)
    except re.error as error:
        where = f" at position {error.pos + 1}" if error.pos is not None else ""
        return f"correct it{where}; the syntax is https://github.com/google/re2/wiki/Syntax"
    return "the syntax is https://github.com/google/re2/wiki/Syntax"


def _regex_of(glob: str) -> str:
    """The glob as RE2; a `[` that is never closed is itself."""
    pieces: list[str] = []
    position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*":
            pieces.append(".*")
        elif character == "?":
            pieces.append(".")
        elif character == "[" and (end := _closing(glob, position)) is not None:
            body = glob[position:end]
            negated = body[:1] in {"!", "^"}
            members = re.sub(r"([\\\[\]^])", r"\\\1", body[1:] if negated else body)
            pieces.append(f"[{'^' if negated else ''}{members}]")
            position = end + 1
        else:
            pieces.append(re2.escape(character))
    return f"(?:{''.join(pieces)})"


def _closing(glob: str, start: int) -> int | None:
    first = start + 1 if glob[start : start + 1] in {"!", "^"} else start
    end = glob.find("]", first + 1)  # a ] that comes first is a member
    return end if end > first else None


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
