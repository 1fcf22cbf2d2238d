"""Which tags a person means by their text: an RE2 pattern with a part that is the version, and globs to leave out.

Patterns come from users and run over every tag of a repository, so the engine is RE2: no text can make it slow.
The pattern is searched for anywhere in the tag, as Go's `MatchString` and Flux do; anchor it to match all of it.

RE2 is spoken to in bytes, and by the call that its Python side makes itself: over text that side takes six times
as long, to count in characters what was found in bytes, and over bytes twice, for values that nobody asks for.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import re2

from bundlewatch.errors import InvalidPattern

_Span = tuple[int, int]

VERSION_GROUP: Final = "version"
_SHOWN: Final = 128
_FRAGMENT_SHOWN: Final = 40

_SYNTAX: Final = "see https://github.com/google/re2/wiki/Syntax"
_CURES: Final = {
    "(?!": "RE2 has no look-ahead; leave tags out by spec.tags.exclude",
    "(?=": "RE2 has no look-ahead; write what follows as it is, and the version as (?P<version>...)",
    "(?<!": "RE2 has no look-behind; leave tags out by spec.tags.exclude",
    "(?<=": "RE2 has no look-behind; write what comes before as it is, and the version as (?P<version>...)",
    "(?>": "RE2 never tries twice and needs no atomic groups; write (?:...)",
    "(?P": "RE2 has no back-references; write the text again",
    "\\1": "RE2 has no back-references; write the text again",
    "\\Z": "the end of the tag is $",
    "( is never closed": "close it with ), or write \\( for the character itself",
    ") closes nothing": "leave it out, or write \\) for the character itself",
    "missing ]": "close it with ], or write \\[ for the character itself",
    "trailing \\": "leave it out; a tag never holds one",
    "no argument for repetition operator": "put before it what is repeated; what is * in a glob is .* here",
    "bad repetition operator": "write one of * + ? {n,m} only",
    "invalid repetition size": "RE2 repeats up to 1000 times, nested ones multiplied",
}
_BACK_REFERENCE: Final = re.compile(r"\\[1-9]")
_PARENTHESES: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w++:\]|[^\]\\])*+\]|(?P<open>\()|(?P<close>\))", re.DOTALL)
_SPECIAL: Final = re.compile(r"[*?\[]")
_NAMED: Final = (f"(?P<{VERSION_GROUP}>", f"(?<{VERSION_GROUP}>")


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A compiled `spec.tags.pattern`; `text` is as the user wrote it."""

    text: str
    has_unnamed_groups: bool
    """It has groups, and none is named as the version: a person may have meant one of them."""

    _spans: Callable[[bytes], Sequence[_Span]]
    _group: int | None

    @classmethod
    def compile(cls, text: str) -> "TagPattern":
        """Raises InvalidPattern: what RE2 says, of which place, and what to write instead."""
        try:
            compiled = _compile(text)
        except re2.error as error:
            raise InvalidPattern(f"spec.tags.pattern {_shown(text)}: {_refusal(text, _said(error))}") from None
        if sum(map(text.count, _NAMED)) > 1:  # RE2 would go by the first alone
            raise InvalidPattern(
                f"spec.tags.pattern {_shown(text)} has several groups named {VERSION_GROUP}; write one, "
                f"and alternatives before it such as ^(?:v|release-)(?P<{VERSION_GROUP}>.+)$"
            )
        group = compiled.groupindex.get(VERSION_GROUP.encode())
        return cls(text, group is None and compiled.groups > 0, _spans_of(compiled), group)

    def version_text(self, tag: str) -> str | None:
        """The part of the tag that is its version; None: the tag does not match.

        "" where the pattern matches but its group took no part in it.
        """
        encoded = tag.encode(errors="surrogatepass")
        spans = self._spans(encoded)
        if spans[0][0] < 0:
            return None
        if self._group is None:
            return tag
        start, end = spans[self._group]  # (-1, -1), which is empty too, for a group that took no part
        return encoded[start:end].decode(errors="replace")  # \C may cut a character in two


@dataclass(frozen=True, slots=True)
class Exclusions:
    """Compiled `spec.tags.exclude`: globs on the whole tag, of which `*`, `?` and `[...]` mean something."""

    globs: tuple[str, ...]
    _set: re2.Set
    _whole: frozenset[str]
    _beginnings: tuple[str, ...]
    _ends: tuple[str, ...]
    _others: bool
    """Whether there are globs of any other form."""

    @classmethod
    def compile(cls, globs: Sequence[str]) -> "Exclusions | None":
        """None without any glob. Raises InvalidPattern naming the one that is wrong."""
        if not globs:
            return None
        together = re2.Set.FullMatchSet(_options())
        for glob in globs:
            expression = _regex_of(glob)
            try:
                _compile(expression)
            except re2.error as error:
                words = _said(error).partition(": ")[0]
                cure = "in [] a range runs upwards, and - comes last to mean itself"
                raise InvalidPattern(f"spec.tags.exclude {_shown(glob)}: {words}; {cure}") from None
            together.Add(_encode(expression))
        try:
            together.Compile()
        except re2.error:
            raise InvalidPattern("spec.tags.exclude: too much to match at once; write fewer or shorter globs") from None
        plain = [glob for glob in globs if _SPECIAL.search(glob) is None]
        beginnings = [glob[:-1] for glob in globs if glob[-1:] == "*" and _SPECIAL.search(glob[:-1]) is None]
        ends = [glob[1:] for glob in globs if glob[:1] == "*" and _SPECIAL.search(glob[1:]) is None]
        others = len(set(globs)) > len({*plain, *(f"{text}*" for text in beginnings), *(f"*{text}" for text in ends)})
        return cls(tuple(globs), together, frozenset(plain), tuple(beginnings), tuple(ends), others)

    def excludes(self, tag: str) -> bool:
        # Most globs are a text with a * before or behind it, for which Python itself is ten times as fast.
        if tag in self._whole or tag.startswith(self._beginnings) or tag.endswith(self._ends):
            return True
        return self._others and self._set.Match(tag.encode(errors="surrogatepass")) is not None

    def excluding(self, tag: str) -> str | None:
        """The first glob that leaves the tag out."""
        matching = self._set.Match(_encode(tag))
        return self.globs[min(matching)] if matching is not None else None


def _encode(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # what is no text is for RE2 to refuse, or not to match


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False  # the user is told, not our standard error
    return options


def _compile(text: str) -> "re2._Regexp[bytes]":
    return re2.compile(_encode(text), options=_options())


def _spans_of(compiled: "re2._Regexp[bytes]") -> Callable[[bytes], Sequence[_Span]]:
    """How to search a text: the spans of the match and of its groups, each (-1, -1) where there is none."""
    try:
        found, anywhere = compiled._regexp.Match, re2._re2.RE2.Anchor.UNANCHORED  # noqa: SLF001 - see the top
    except AttributeError:  # another release of RE2's Python side
        nothing = ((-1, -1),)

        def search(text: bytes) -> Sequence[_Span]:
            match = compiled.search(text)
            return nothing if match is None else [match.span(group) for group in range(compiled.groups + 1)]

        return search
    return lambda text: found(anywhere, text, 0, len(text))


def _said(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _refusal(text: str, said: str) -> str:
    words, _, fragment = said.partition(": ")
    if words in {"missing )", "unexpected )"}:  # of these RE2 does not say where
        words, fragment = "( is never closed" if words == "missing )" else ") closes nothing", ""
        position = _unpaired(text)
    else:
        position = _position(text, said, fragment)
    quoted = f" {_shown(fragment, length=_FRAGMENT_SHOWN)}" if fragment else ""
    place = f" at position {position + 1}" if position is not None else ""
    cure = _CURES.get("\\1" if _BACK_REFERENCE.match(fragment) else fragment) or _CURES.get(words, _SYNTAX)
    return f"{words}{quoted}{place}; {cure}"


def _position(text: str, said: str, fragment: str) -> int | None:
    """Where RE2 stopped, of the places of the fragment: the last one before which there is nothing to complain of."""
    found = None
    position = text.find(fragment) if fragment else -1
    while position >= 0 and _complaint(text[:position]) != said:
        found = position
        position = text.find(fragment, position + len(fragment))
    return found


def _complaint(text: str) -> str | None:
    try:
        _compile(text)
    except re2.error as error:
        return _said(error)
    return None


def _unpaired(text: str) -> int | None:
    opened: list[int] = []
    for match in _PARENTHESES.finditer(text):
        if match["open"]:
            opened.append(match.start())
        elif match["close"] and not opened:
            return match.start()
        elif match["close"]:
            opened.pop()
    return opened[-1] if opened else None


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
    return f"(?s:{''.join(pieces)})"


def _closing(glob: str, start: int) -> int | None:
    first = start + 1 if glob[start : start + 1] in {"!", "^"} else start
    end = glob.find("]", first + 1)  # a ] that comes first is a member
    return end if end > first else None


def _shown(text: str, *, length: int = _SHOWN) -> str:
    return ascii(text if len(text) <= length else text[: length - 1] + "…")
