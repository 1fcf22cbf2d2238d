"""What a policy makes of a listing, whoever asks: the tags that may be taken in their order, the rest in numbers.

Ties of equal readings go to what the order says breaks them, then to the tag that sorts last as text: a total
order, so that the same tags in any order, on however many pages, give the same choice. `Descending` turns the
order around, ties and all.

No verdict is made before somebody reads it: a repository may hold a million tags. Nor is a tag judged again
because another one was published: a listing that differs in few tags is ranked from the one before.
"""

import heapq
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from bundlewatch.policy.order import Reading
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.verdict import Reason

NEAR = 10
"""How many tags of each reason are kept for being shown."""

Entry = tuple[Any, ...]
"""A key, and the tag behind it."""


class Ranking:
    """A listing, judged. Never changes once it is made."""

    def __init__(self, policy: Policy, tags: Iterable[str]) -> None:
        listed = dict.fromkeys(tags)
        self.policy = policy
        self.total = len(listed)
        self.pinned = policy.pin is not None and policy.pin in listed
        self.eligible: list[Entry] = []
        """From the oldest to the newest."""

        self.counts: Counter[Reason] = Counter()
        """How many tags there are of each reason for which a tag may not be taken."""

        self.near: dict[Reason, list[_Rank]] = {}
        """Of each of these reasons the newest tags that read in this order, as a heap."""

        self.plain: list[str] = []
        """Some of the tags that do not read, as text sorts them."""

        self.take(listed)

    @property
    def ineligible(self) -> list[str]:
        """The newest of the tags that read in this order and may not be taken, the newest first."""
        near = heapq.nlargest(NEAR, (rank for ranks in self.near.values() for rank in ranks))
        return [rank.entry[-1] for rank in near]

    def older_than(self, floor: Reading) -> int:
        """How many of the eligible tags are older than `floor`: so many of the first."""
        # An entry begins with its key, and a longer tuple sorts after its own beginning.
        if not self.policy.descending:
            return bisect_left(self.eligible, floor.key)
        return bisect_left(self.eligible, x=True, key=lambda entry: entry[: len(floor.key)] <= floor.key)

    def holds(self, tag: str) -> bool:
        """Whether the tag is one of the eligible."""
        reason, key = self.policy.judge(tag)
        if reason is not None or key is None:
            return False
        place = self.place_of((*key, tag))
        return place < len(self.eligible) and self.eligible[place][-1] == tag

    def after(self, *, gone: AbstractSet[str], new: AbstractSet[str]) -> "Ranking":
        """The ranking of a listing that lacks some tags of this one and has others; worth it where they are few.

        Raises LookupError where one of those that are gone was kept for being shown: only all tags can tell its
        successor.
        """
        shown = {rank.entry[-1] for ranks in self.near.values() for rank in ranks}.union(self.plain)
        if not shown.isdisjoint(gone):
            raise LookupError("what is to be shown has to be found anew")
        anew = Ranking(self.policy, ())
        anew.total = self.total - len(gone) + len(new)
        anew.pinned = (self.pinned and self.policy.pin not in gone) or self.policy.pin in new
        anew.eligible = [entry for entry in self.eligible if entry[-1] not in gone] if gone else self.eligible.copy()
        anew.counts = self.counts.copy()
        anew.near = {reason: ranks.copy() for reason, ranks in self.near.items()}
        anew.plain = self.plain.copy()
        anew.counts -= Counter(reason for reason, _, _ in self.policy.judge_all(gone) if reason is not None)
        anew.take(new)
        return anew

    def place_of(self, entry: Entry) -> int:
        """Where an entry stands among the eligible, or would."""
        if not self.policy.descending:
            return bisect_left(self.eligible, entry)
        return bisect_left(self.eligible, x=True, key=lambda other: other <= entry)

    def take(self, tags: Iterable[str]) -> None:
        """Judge more tags, while the ranking is being made."""
        eligible, counts, descending = self.eligible, self.counts, self.policy.descending
        for reason, key, tag in self.policy.judge_all(tags):
            if reason is None:
                assert key is not None
                eligible.append((*key, tag))
                continue
            counts[reason] += 1
            if key is not None:
                near = self.near.setdefault(reason, [])
                rank = _Rank((*key, tag), descending=descending)
                if len(near) < NEAR:
                    heapq.heappush(near, rank)
                elif near[0] < rank:
                    heapq.heapreplace(near, rank)
            elif reason is not Reason.NOT_A_BUNDLE_TAG:
                self.plain.append(tag)
        self.plain = heapq.nsmallest(NEAR, self.plain)
        eligible.sort(reverse=descending)


class _Rank:
    """An entry that compares by age, the older the less."""

    __slots__ = ("descending", "entry")

    def __init__(self, entry: Entry, *, descending: bool) -> None:
        self.entry = entry
        self.descending = descending

    def __lt__(self, other: "_Rank") -> bool:
        return other.entry < self.entry if self.descending else self.entry < other.entry
