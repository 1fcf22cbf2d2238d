"""Which tag is the best for somebody who runs something already, and why every other one is not.

To the checks of `policy`, in the order given there, this adds: rejected by a look at the manifest, superseded by
the choice (the one that runs now says so: `Current`), or older than what runs. Nothing older than what runs is a
candidate, unless it is pinned; nor is anything where it cannot be told what runs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from bundlewatch.policy.order import Reading
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.ranking import Ranking
from bundlewatch.policy.verdict import Reason, Verdict

_NEWER_SHOWN = 3

_NOT_LOOKED_AT = "may go as far as its name tells, but nothing was chosen and nobody has looked at its manifest"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tag that may go, as far as its name tells. `reading` is None only for a pinned tag that does not read."""

    tag: str
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Running:
    """What somebody runs. `tags`: the tags of it. `floor`: nothing older is a candidate; None: anything is.

    `unread`: what runs and does not read in this order, so that nothing can be told to be newer.
    """

    tags: AbstractSet[str] = frozenset()
    floor: Reading | None = None
    unread: str | None = None


NOTHING = Running()


def select(tags: Iterable[str], *, policy: Policy, running: Running = NOTHING) -> "Selection":
    """The selection among `tags` for somebody who runs `running`."""
    return Selection(Ranking(policy, tags), running)


class Selection:
    """The candidates, best first, and the verdict on every tag."""

    def __init__(self, ranking: Ranking, running: Running) -> None:
        self._ranking = ranking
        self._running = running
        self._first = 0
        """Where the candidates begin among the eligible."""

        if running.unread is not None:
            self._first = len(ranking.eligible)
        elif running.floor is not None:
            self._first = ranking.older_than(running.floor)

    def after(self, running: AbstractSet[str]) -> "Selection":
        """The same choice once these tags run: what is said of them changes, and nothing else."""
        return Selection(self._ranking, replace(self._running, tags=running))

    @property
    def policy(self) -> Policy:
        return self._ranking.policy

    @property
    def total(self) -> int:
        """How many tags there are."""
        return self._ranking.total

    def runs(self, tag: str) -> bool:
        """Whether it is known to run already."""
        return tag in self._running.tags

    @property
    def ranked(self) -> Iterator[Candidate]:
        """The candidates, best first."""
        pin = self.policy.pin
        if pin is not None:
            if self._ranking.pinned:
                yield Candidate(pin, self.policy.read(pin))
            return
        for position in range(len(self._ranking.eligible) - 1, self._first - 1, -1):
            tag = self._ranking.eligible[position][-1]
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
        below, cure = "", "publish one that fits, or correct spec.tags"
        if ranking.eligible and self._running.unread is not None:
            they = "it is" if len(ranking.eligible) == 1 else "they are"
            below = f"of {len(ranking.eligible)} it cannot be told whether {they} newer than {self._running.unread}"
            below = f"{below}, which runs and {self.policy.why_unread(self._running.unread)}"
            cure = "to take one all the same, set spec.pin to it, or spec.rollout.allowDowngrade: true"
        elif ranking.eligible:
            below = f"{len(ranking.eligible)} older than {self._running.floor}, which runs"
            cure = "to go back to an older one, set spec.pin to it, or spec.rollout.allowDowngrade: true"
        rest = [f"{count} {_COUNTED[reason]}" for reason, count in sorted(ranking.counts.items(), key=_by_count)]
        tags = "the only tag may not" if ranking.total == 1 else f"none of {ranking.total} tags may"
        return f"{tags} be taken: {', '.join(filter(None, [below, *rest]))}; {cure}{self.policy.hint}"

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
            current = sum(
                tag != chosen.tag and tag not in rejected and ranking.holds(tag) for tag in self._running.tags
            )
            found[Reason.CHOSEN] += 1
            found[Reason.CURRENT] += current
            found[Reason.SUPERSEDED] += rest - 1 - current
        else:
            found[Reason.DOWNGRADE] += self._first
            found[Reason.SUPERSEDED] += rest - self._first
        return +found

    def verdict_of(self, tag: str, *, chosen: Candidate | None, rejected: Mapping[str, Verdict]) -> Verdict:
        """The one verdict on a tag of the listing."""
        reason, _ = self.policy.judge(tag)
        return self._verdict_of(tag, reason, chosen=chosen, rejected=rejected)

    def _verdict_of(
        self, tag: str, reason: Reason | None, *, chosen: Candidate | None, rejected: Mapping[str, Verdict]
    ) -> Verdict:
        """The same where it is known what the policy makes of the tag."""
        policy = self.policy
        if chosen is not None and tag == chosen.tag:
            message = "spec.pin asks for it" if policy.pin else "the best that may be taken"
            already = "; it runs already" if tag in self._running.tags else ""
            return self._verdict(tag, Reason.CHOSEN, message + already)
        if tag in rejected:
            return rejected[tag]
        if policy.pin is not None:
            message = _NOT_LOOKED_AT if tag == policy.pin else f"spec.pin asks for exactly {policy.pin}"
            return self._verdict(tag, Reason.SUPERSEDED, message)
        if reason is not None:
            return self._verdict(tag, reason, policy.why(tag, reason))
        if chosen is not None and tag in self._running.tags:
            return self._verdict(tag, Reason.CURRENT, f"runs now; superseded by {chosen.tag}")
        if chosen is not None:
            return self._verdict(tag, Reason.SUPERSEDED, f"superseded by {chosen.tag}")
        if (why := self._why_below(tag)) is not None:
            return self._verdict(tag, Reason.DOWNGRADE, why)
        return self._verdict(tag, Reason.SUPERSEDED, _NOT_LOOKED_AT)

    def nearest(self, count: int, *, chosen: Candidate | None, rejected: Mapping[str, Verdict]) -> tuple[Verdict, ...]:
        """The verdicts a person asks for first: the choice, then those nearest to having been it, newest first.

        Of `count`, up to half go to what a look at the manifest rejected, some to the newest versions that may
        not be taken, the rest to what the choice superseded, and what is left to tags that are no versions.
        """
        ranking = self._ranking
        shown: dict[str, None] = {chosen.tag: None} if chosen is not None else {}
        self._add(shown, list(rejected)[: count // 2], count)
        self._add(shown, ranking.ineligible[:_NEWER_SHOWN], count)
        self._add(shown, (entry[-1] for entry in reversed(ranking.eligible) if entry[-1] not in rejected), count)
        self._add(shown, rejected, count)
        self._add(shown, ranking.ineligible, count)
        self._add(shown, ranking.plain, count)
        return self.verdicts(shown, chosen=chosen, rejected=rejected)

    def verdicts(
        self, tags: Iterable[str], *, chosen: Candidate | None, rejected: Mapping[str, Verdict]
    ) -> tuple[Verdict, ...]:
        """The verdicts on tags of the listing: the choice first, then the newest first, then what does not read."""
        reasons: dict[str, Reason | None] = {}
        keyed, plain = [], []
        for reason, key, tag in self.policy.judge_all(tags):
            reasons[tag] = reason
            if key is not None:
                keyed.append((*key, tag))
            else:
                plain.append((reason is Reason.NOT_A_BUNDLE_TAG, tag))
        keyed.sort(reverse=not self.policy.descending)
        newest_first = [*(entry[-1] for entry in keyed), *(tag for _, tag in sorted(plain))]
        if chosen is not None and chosen.tag in reasons:
            newest_first.remove(chosen.tag)
            newest_first.insert(0, chosen.tag)
        return tuple(self._verdict_of(tag, reasons[tag], chosen=chosen, rejected=rejected) for tag in newest_first)

    @staticmethod
    def _add(shown: dict[str, None], tags: Iterable[str], count: int) -> None:
        for tag in tags:
            if len(shown) >= count:
                return
            shown.setdefault(tag)

    def _why_below(self, tag: str) -> str | None:
        running, reading = self._running, self.policy.read(tag)
        if running.unread is not None:
            return f"it cannot be told whether {tag} is newer than {running.unread}, which runs"
        if running.floor is not None and reading is not None and reading.is_older(running.floor):
            return f"{tag} is {'above' if self.policy.descending else 'below'} {running.floor}, which runs"
        return None

    def _verdict(self, tag: str, reason: Reason, message: str) -> Verdict:
        reading = None if reason is Reason.NOT_A_BUNDLE_TAG else self.policy.read(tag)
        return Verdict(tag, str(reading) if reading is not None else None, reason, message)


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
