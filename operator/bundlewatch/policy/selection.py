"""Which tag is the best, and why every other one is not.

The checks, in this order; the first that hits is the tag's verdict: a service tag, the pattern, the exclusions,
no version, a prerelease, out of range, rejected by a look at the manifest, superseded by the choice, or below
what runs. Versions are ordered by precedence; ties go to the higher build metadata, then to the strict spelling,
then to the tag that sorts last as text: a total order, so that the same tags in any order give the same choice.

A policy judges a listing once (`Ranking`); each watch draws its own selection from that by its own floor. No
verdict is made before somebody reads it: a repository may hold 100,000 tags.
"""

import heapq
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bundlewatch.errors import InvalidRange
from bundlewatch.policy.patterns import Exclusions, TagPattern
from bundlewatch.policy.range_syntax import shown
from bundlewatch.policy.ranges import Range
from bundlewatch.policy.service_tags import service_tag
from bundlewatch.policy.verdict import Reason, Verdict
from bundlewatch.policy.version import RELEASE, SortKey, Version, from_tag, parse_loose, sort_key, why_not

_NEAR = 10  # how many tags of each kind are kept for being shown
_NEWER_SHOWN = 3

_NOT_LOOKED_AT = "may go as far as its name tells, but nothing was chosen and nobody has looked at its manifest"

Ranked = tuple[SortKey, str]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tag that may go, as far as its name tells. `version` is None only for a pinned tag that reads as none."""

    tag: str
    version: Version | None


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be taken, compiled. `pin`: exactly this tag, whatever the rest says."""

    pattern: TagPattern | None
    exclude: Exclusions | None
    range: Range | None
    prereleases: bool
    pin: str | None

    @classmethod
    def compile(
        cls,
        *,
        pattern: str | None,
        exclude: Sequence[str],
        range: str | None,  # noqa: A002 - the field's name
        prereleases: bool,
        pin: str | None,
    ) -> "Policy":
        """Raises InvalidPattern or InvalidRange, which name the field, what is wrong and the cure."""
        return cls(
            pattern=TagPattern.compile(pattern) if pattern else None,
            exclude=Exclusions.compile(exclude),
            range=_range(range, prereleases=prereleases) if range else None,
            prereleases=prereleases,
            pin=pin or None,
        )

    def read(self, tag: str) -> Version | None:
        """The version of a tag: what the pattern catches, or the whole of one that the pattern does not match."""
        text = self.pattern.version_text(tag) if self.pattern is not None else None
        return parse_loose(from_tag(tag if text is None else text))

    def judge(self, tag: str) -> tuple[Reason | None, SortKey | None]:
        """The first check that hits (None: none does), and how the tag sorts if it is a version."""
        if service_tag(tag) is not None:
            return Reason.NOT_A_BUNDLE_TAG, None
        text: str | None = tag
        if self.pattern is not None:
            text = self.pattern.version_text(tag)
            if text is None:
                return Reason.PATTERN_MISMATCH, sort_key(from_tag(tag))
        assert text is not None
        key = sort_key(from_tag(text))
        if self.exclude is not None and self.exclude.excludes(tag):
            return Reason.EXCLUDED, key
        if key is None:
            return Reason.NOT_A_VERSION, None
        return self._judge_version(key), key

    def _judge_version(self, key: SortKey) -> Reason | None:
        prerelease = key[3] != RELEASE
        if self.range is None:
            return Reason.PRERELEASE if prerelease and not self.prereleases else None
        if self.range.admits_key(key, prereleases=self.prereleases):
            return None
        if prerelease and not self.prereleases:
            only_for_that = self.range.admits_key(key, prereleases=True)
            return Reason.PRERELEASE if only_for_that or not self.range.names_prerelease else Reason.OUT_OF_RANGE
        return Reason.OUT_OF_RANGE


def select(tags: Iterable[str], *, policy: Policy, floor: Version | None) -> "Selection":
    """The selection among `tags`; nothing older than `floor` is a candidate, unless it is pinned."""
    return Ranking(policy, tags).select(floor=floor)


class Ranking:
    """What a policy makes of a listing, whoever asks."""

    def __init__(self, policy: Policy, tags: Iterable[str]) -> None:
        self.policy = policy
        eligible: list[Ranked] = []
        counts: Counter[Reason] = Counter()
        kept: dict[Reason, list[Ranked]] = {}
        plain: list[str] = []
        listed = set(tags)
        for tag in listed:
            reason, key = policy.judge(tag)
            if reason is None:
                assert key is not None
                eligible.append((key, tag))
                continue
            counts[reason] += 1
            if key is not None:
                near = kept.setdefault(reason, [])
                if len(near) < _NEAR:
                    heapq.heappush(near, (key, tag))
                elif near[0] < (key, tag):
                    heapq.heapreplace(near, (key, tag))
            elif reason is not Reason.NOT_A_BUNDLE_TAG:
                plain.append(tag)
        eligible.sort()
        self.eligible = eligible
        """Ascending: the best is the last."""
        self.counts: Mapping[Reason, int] = counts
        self.total = len(listed)
        self.pinned = policy.pin is not None and policy.pin in listed
        self.ineligible: list[Ranked] = sorted((entry for near in kept.values() for entry in near), reverse=True)[
            :_NEAR
        ]
        """The newest versions that may not be taken."""
        self.plain = heapq.nsmallest(_NEAR, plain)
        """Some of the tags that are no versions."""

    def select(self, *, floor: Version | None) -> "Selection":
        """Draw the selection of somebody who runs `floor`."""
        return Selection(self, floor)


class Selection:
    """The candidates, best first, and the verdict on every tag."""

    def __init__(self, ranking: Ranking, floor: Version | None) -> None:
        self._ranking = ranking
        self._floor = floor
        self._first = 0
        if floor is not None:
            # A key begins with its order, and a longer tuple sorts after its own beginning.
            self._first = bisect_left(ranking.eligible, (floor.order,))

    @property
    def policy(self) -> Policy:
        return self._ranking.policy

    @property
    def ranked(self) -> Iterator[Candidate]:
        """The candidates, best first."""
        pin = self.policy.pin
        if pin is not None:
            if self._ranking.pinned:
                yield Candidate(pin, self.policy.read(pin))
            return
        for position in range(len(self._ranking.eligible) - 1, self._first - 1, -1):
            tag = self._ranking.eligible[position][1]
            yield Candidate(tag, self.policy.read(tag))

    @property
    def problem(self) -> str | None:
        """Why there is no candidate, in one sentence; None: there is one."""
        ranking, pin = self._ranking, self.policy.pin
        if pin is not None:
            return (
                None
                if ranking.pinned
                else f"the pinned tag {pin} is not in the registry; publish it or correct spec.pin"
            )
        if self._first < len(ranking.eligible):
            return None
        if not ranking.total:
            return "the repository has no tags yet"
        below = f"{len(ranking.eligible)} older than {self._floor}, which runs" if ranking.eligible else ""
        rest = [f"{count} {_COUNTED[reason]}" for reason, count in sorted(ranking.counts.items(), key=_by_count)]
        tags = "the only tag may not" if ranking.total == 1 else f"none of {ranking.total} tags may"
        cure = "to go back to an older one, set spec.pin" if below else "publish one that fits, or correct spec.tags"
        return f"{tags} be taken: {', '.join(filter(None, [below, *rest]))}; {cure}{self._hint}"

    @property
    def _hint(self) -> str:
        if self.policy.pattern is None or not self.policy.pattern.has_unnamed_groups:
            return ""
        return "; spec.tags.pattern has no group named version, (?P<version>...), so whole tags are read"

    def counts(self, *, chosen: Candidate | None, rejected: Mapping[str, Verdict]) -> Mapping[Reason, int]:
        """How many tags got each verdict; they add up to all tags."""
        ranking = self._ranking
        if self.policy.pin is not None:
            found = Counter(verdict.reason for verdict in rejected.values())
            found[Reason.CHOSEN] += chosen is not None
            found[Reason.SUPERSEDED] += ranking.total - found.total()
            return +found
        found = Counter(ranking.counts)
        found.update(verdict.reason for verdict in rejected.values())
        rest = len(ranking.eligible) - len(rejected)
        if chosen is not None:
            found[Reason.CHOSEN] += 1
            found[Reason.SUPERSEDED] += rest - 1
        else:
            found[Reason.DOWNGRADE] += self._first
            found[Reason.SUPERSEDED] += rest - self._first
        return +found

    def verdict_of(self, tag: str, *, chosen: Candidate | None, rejected: Mapping[str, Verdict]) -> Verdict:
        """The one verdict on a tag of the listing."""
        policy = self.policy
        if chosen is not None and tag == chosen.tag:
            return self._verdict(
                tag, Reason.CHOSEN, "spec.pin asks for it" if policy.pin else "the best that may be taken"
            )
        if tag in rejected:
            return rejected[tag]
        if policy.pin is not None:
            message = _NOT_LOOKED_AT if tag == policy.pin else f"spec.pin asks for exactly {policy.pin}"
            return self._verdict(tag, Reason.SUPERSEDED, message)
        reason, _ = policy.judge(tag)
        if reason is not None:
            return self._verdict(tag, reason, self._why(tag, reason))
        if chosen is not None:
            return self._verdict(tag, Reason.SUPERSEDED, f"superseded by {chosen.tag}")
        version = policy.read(tag)
        if self._floor is not None and version is not None and version.is_older(self._floor):
            return self._verdict(tag, Reason.DOWNGRADE, f"{tag} is below {self._floor}, which runs")
        return self._verdict(tag, Reason.SUPERSEDED, _NOT_LOOKED_AT)

    def nearest(self, count: int, *, chosen: Candidate | None, rejected: Mapping[str, Verdict]) -> tuple[Verdict, ...]:
        """The verdicts a person asks for first: the choice, then those nearest to having been it, newest first.

        Of `count`, up to half go to what a look at the manifest rejected, some to the newest versions that may
        not be taken, the rest to what the choice superseded, and what is left to tags that are no versions.
        """
        ranking = self._ranking
        shown: dict[str, None] = {chosen.tag: None} if chosen is not None else {}
        self._add(shown, list(rejected)[: count // 2], count)
        self._add(shown, [tag for _, tag in ranking.ineligible[:_NEWER_SHOWN]], count)
        self._add(shown, (tag for _, tag in reversed(ranking.eligible) if tag not in rejected), count)
        self._add(shown, rejected, count)
        self._add(shown, [tag for _, tag in ranking.ineligible], count)
        self._add(shown, ranking.plain, count)
        verdicts = [self.verdict_of(tag, chosen=chosen, rejected=rejected) for tag in shown]
        first, rest = verdicts[: chosen is not None], verdicts[chosen is not None :]
        return (*first, *sorted(rest, key=self._newest_first, reverse=True))

    @staticmethod
    def _add(shown: dict[str, None], tags: Iterable[str], count: int) -> None:
        for tag in tags:
            if len(shown) >= count:
                return
            shown.setdefault(tag)

    def _newest_first(self, verdict: Verdict) -> tuple[bool, SortKey | tuple[()], str]:
        key = self.policy.judge(verdict.tag)[1]
        return (key is not None, key or (), verdict.tag)

    def _verdict(self, tag: str, reason: Reason, message: str) -> Verdict:
        version = None if reason is Reason.NOT_A_BUNDLE_TAG else self.policy.read(tag)
        return Verdict(tag, str(version) if version is not None else None, reason, message)

    def _why(self, tag: str, reason: Reason) -> str:
        policy = self.policy
        version = policy.read(tag)
        match reason:
            case Reason.NOT_A_BUNDLE_TAG:
                return f"{service_tag(tag)}, never a bundle"
            case Reason.PATTERN_MISMATCH:
                return f"does not match the pattern {policy.pattern.text if policy.pattern else ''}"
            case Reason.EXCLUDED:
                return f"excluded by {policy.exclude.excluding(tag) if policy.exclude else ''}"
            case Reason.NOT_A_VERSION:
                text = policy.pattern.version_text(tag) if policy.pattern is not None else tag
                said = f"{text} {why_not(from_tag(text))}" if text else "the pattern catches no version in it"
                return f"{said}{self._hint}"
            case _:
                assert version is not None
                return self._why_not_admitted(version, reason)

    def _why_not_admitted(self, version: Version, reason: Reason) -> str:
        limits = self.policy.range
        if limits is None:
            wanted = "spec.tags.prereleases: true, or a spec.tags.range that names one such as >=1.0.0-0,"
            return f"{version} is a prerelease; {wanted} would allow it{self._hint}"
        if reason is Reason.OUT_OF_RANGE:
            return f"{version} {limits.place_of(version)} {limits.text}"
        if limits.admits(version, prereleases=True):
            return f"{version} is a prerelease in the range {limits.text}; spec.tags.prereleases: true would allow it"
        return f"{version} is a prerelease, and {limits.place_of(version)} {limits.text}"


def _range(text: str, *, prereleases: bool) -> Range:
    try:
        found = Range.parse(text)
    except InvalidRange as error:
        raise InvalidRange(f"spec.tags.range: {error}") from None
    if found.is_empty(prereleases=prereleases):
        raise InvalidRange(
            f"spec.tags.range: range {shown(text)} can never match a release, only prereleases; "
            "widen it, or set spec.tags.prereleases: true"
        )
    return found


_COUNTED: Mapping[Reason, str] = {
    Reason.NOT_A_BUNDLE_TAG: "of werf's or cosign's own",
    Reason.PATTERN_MISMATCH: "not matching the pattern",
    Reason.EXCLUDED: "excluded",
    Reason.NOT_A_VERSION: "no version",
    Reason.PRERELEASE: "a prerelease",
    Reason.OUT_OF_RANGE: "out of range",
}


def _by_count(entry: tuple[Reason, int]) -> tuple[int, str]:
    return (-entry[1], entry[0])
