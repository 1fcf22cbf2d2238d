"""Ranges of versions, as Helm means them.

Each comparator is a span of the version order, from a version (included) to another (not included), or a hole in
it; a group of comparators is one span with holes, and a range is a set of groups of which one must admit. That
gives the answers of github.com/Masterminds/semver v3.5.0, checked against the library itself, among them:

- `1.2` is `~1.2`; `~1.2.3` is `>=1.2.3 <1.3`; `^0.2.3` is `>=0.2.3 <0.3`; `<=1.2` reaches to the end of 1.2;
- `^*` is 0.0.0 alone, `!=*` all but 0.0.0, `<=*` all of 0.0, `~0.0.0` everything;
- a prerelease is admitted only by a group in which some version carries a prerelease (`>=1.2-0`), and then any
  prerelease in its span is; `prereleases=True` is that library's IncludePrerelease: by precedence alone, where
  `^1.2` does not reach 1.2.0-rc.1 (it is below 1.2.0) and does not reach 2.0.0-rc.1 (it is a 2).

The language itself is read in `range_syntax`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.range_syntax import Comparator, Open, parse, shown
from bundlewatch.policy.version import LOWEST, LOWEST_PRERELEASE, RELEASE, Identifiers, Precedence, Version

Key = tuple[object, ...]
"""A `Precedence`, or any longer tuple that begins with one."""


@dataclass(frozen=True, slots=True)
class Span:
    """The versions from `low` to before `high`; no `high`, no end."""

    low: Precedence = LOWEST
    high: Precedence | None = None

    def holds(self, key: Key) -> bool:
        # A longer tuple sorts after its own beginning, so both comparisons say the right thing for any `Key`.
        return self.low <= key and (self.high is None or key < self.high)


@dataclass(frozen=True, slots=True)
class Series:
    """Every patch of one minor version that has exactly this prerelease: what `!=1.2` and `!=1.2-rc` leave out."""

    major: int
    minor: int
    prerelease: Identifiers

    def holds(self, key: Key) -> bool:
        return key[0] == self.major and key[1] == self.minor and key[3] == self.prerelease


@dataclass(frozen=True, slots=True)
class Group:
    """Comparators that must all hold."""

    span: Span
    holes: tuple[Span | Series, ...]
    names_prerelease: bool

    def admits(self, key: Key, *, prereleases: bool) -> bool:
        # Spelt out, since a selection asks it of every tag. For the comparisons see `Span.holds`.
        span = self.span
        if not span.low <= key or (span.high is not None and not key < span.high):
            return False
        if key[3] != RELEASE and not (prereleases or self.names_prerelease):
            return False
        for hole in self.holes:  # noqa: SIM110 - a generator would cost as much as the rest
            if hole.holds(key):
                return False
        return True

    def is_empty(self, *, prereleases: bool) -> bool:
        """Whether surely no version is admitted: walks up from the low end, over holes, to one that is.

        The walk meets no hole twice: behind a series comes a prerelease of the next patch, or the next minor.
        """
        releases_only = not (prereleases or self.names_prerelease)
        here = self.span.low
        for _ in range(len(self.holes) + 1):
            if releases_only:
                here = (*here[:3], RELEASE)
            if not self.span.holds(here):
                return True
            hole = next((hole for hole in self.holes if hole.holds(here)), None)
            if hole is None:
                return False
            if isinstance(hole, Span):
                if hole.high is None:
                    return True
                here = hole.high
            else:
                here = _next_minor(here) if releases_only else _successor(here)
        return False


@dataclass(frozen=True, slots=True)
class Range:
    """A range; `text` is as the user wrote it."""

    text: str
    groups: tuple[Group, ...]
    spans: tuple[Span, ...]
    """Of the groups that are not empty."""

    @classmethod
    def parse(cls, text: str, *, reading: Callable[[Comparator], Comparator] | None = None) -> "Range":
        """The range that `text` means to Helm. Raises InvalidRange: where it is wrong, or that nothing satisfies it.

        `reading`: how an order other than SemVer reads the version of a comparator; it may raise InvalidRange.
        """
        alternatives = parse(text)
        if reading is not None:
            try:
                alternatives = tuple(tuple(map(reading, comparators)) for comparators in alternatives)
            except InvalidRange as error:
                raise InvalidRange(f"range {shown(text)}: {error}") from None
        groups = tuple(map(_group, alternatives))
        spans = tuple(group.span for group in groups if not group.is_empty(prereleases=True))
        if not spans:
            raise InvalidRange(f"range {shown(text)} can never match: {_contradiction(groups)}")
        return cls(text=text, groups=groups, spans=spans)

    @property
    def names_prerelease(self) -> bool:
        return any(group.names_prerelease for group in self.groups)

    def admits(self, version: Version, *, prereleases: bool) -> bool:
        """Whether the range admits `version`; `prereleases` False is Helm's rule, True is by precedence alone."""
        return self.admits_key(version.precedence, prereleases=prereleases)

    def admits_key(self, key: Key, *, prereleases: bool) -> bool:
        """The same for a precedence, or a longer sort key that begins with one."""
        for group in self.groups:  # noqa: SIM110 - as in `Group.admits`
            if group.admits(key, prereleases=prereleases):
                return True
        return False

    def is_empty(self, *, prereleases: bool) -> bool:
        """Whether surely no version can be admitted under that rule for prereleases."""
        return all(group.is_empty(prereleases=prereleases) for group in self.groups)

    def place_of(self, key: Key) -> str:
        """Where a version that is not admitted lies, to be followed by the range: `is above the range`."""
        spans = self.spans
        if all(key < span.low for span in spans):
            return "is below the range"
        if all(span.high is not None and key >= span.high for span in spans):
            return "is above the range"
        if any(span.holds(key) for span in spans):
            return "is left out by the range"
        return "is in a gap of the range"


def _group(comparators: tuple[Comparator, ...]) -> Group:
    low, high = LOWEST, None
    holes: list[Span | Series] = []
    for comparator in comparators:
        if comparator.operator == "!=":
            holes.append(_hole(comparator))
            continue
        span = _span(comparator)
        low = max(low, span.low)
        if span.high is not None:
            high = span.high if high is None else min(high, span.high)
    return Group(
        span=Span(low, high),
        holes=tuple(holes),
        names_prerelease=any(comparator.names_prerelease for comparator in comparators),
    )


def _span(comparator: Comparator) -> Span:  # noqa: C901 - a table of operators reads best in one place
    """The versions a comparator admits; the odd corners are the library's, see the top of this file."""
    here, opened = comparator.precedence, comparator.open
    match comparator.operator:
        case "=" if opened is Open.NOTHING:
            return Span(here, _successor(here))
        case "=" | "~":
            if opened is Open.MINOR:
                return Span(here, _next_major(here))
            if here[:3] == (0, 0, 0) and opened is not Open.PATCH:
                return Span(here)
            return Span(here, _next_minor(here))
        case "^":
            if here[0] > 0 or opened is Open.MINOR:
                return Span(here, _next_major(here))
            if here[1] > 0 or opened is Open.PATCH:
                return Span(here, _next_minor(here))
            return Span(here, _next_patch(here))
        case ">=":
            return Span(here)
        case "<":
            return Span(high=here)
        case ">":
            return Span(_past(comparator))
    return Span(high=_past(comparator))  # <=


def _past(comparator: Comparator) -> Precedence:
    """Where the versions end that a comparator's own version stands for: `>` begins and `<=` ends there."""
    here, opened = comparator.precedence, comparator.open
    if opened is Open.MINOR:
        return _next_major(here)
    if opened is Open.PATCH or (opened is Open.MAJOR and comparator.operator == "<="):
        return _next_minor(here)
    return _successor(here)


def _hole(comparator: Comparator) -> Span | Series:
    here, opened = comparator.precedence, comparator.open
    if opened is Open.MINOR:
        return Span((here[0], 0, 0, LOWEST_PRERELEASE), _next_major(here))
    if opened is Open.PATCH:
        return Series(here[0], here[1], here[3])
    return Span(here, _successor(here))


def _successor(here: Precedence) -> Precedence:
    """The lowest precedence above `here`: nothing lies between the two."""
    if here[3] == RELEASE:
        return _next_patch(here)
    return (*here[:3], (*here[3], (0, 0)))


def _next_patch(here: Precedence) -> Precedence:
    return (here[0], here[1], here[2] + 1, LOWEST_PRERELEASE)


def _next_minor(here: Precedence) -> Precedence:
    return (here[0], here[1] + 1, 0, LOWEST_PRERELEASE)


def _next_major(here: Precedence) -> Precedence:
    return (here[0] + 1, 0, 0, LOWEST_PRERELEASE)


def _contradiction(groups: tuple[Group, ...]) -> str:
    """Why no group admits anything, said of the first one."""
    span = groups[0].span
    if span.high is not None and span.high <= span.low:
        return f"nothing is at least {_text(span.low)} and below {_text(span.high)}"
    return f"!= leaves out everything from {_text(span.low)} on that the rest admits"


def _text(here: Precedence) -> str:
    numbers = ".".join(map(str, here[:3]))
    return numbers if here[3] == RELEASE else f"{numbers}-{'.'.join(str(value) for _, value in here[3])}"
