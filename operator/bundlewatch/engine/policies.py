"""Policies compiled once and shared: watches that want the same of the same tags have them judged once.

What a policy makes of a listing does not depend on who asks, only the floor does; so the judgement is kept and
each watch draws its own selection from it. Of each repository only the newest judgement is kept, for a bounded
number of tags in all.
"""

from collections import OrderedDict
from dataclasses import dataclass

from bundlewatch.api.v1alpha1 import Spec
from bundlewatch.engine.listing import Tags
from bundlewatch.policy.selection import Policy, Ranking, Selection
from bundlewatch.policy.version import Version

_POLICIES_KEPT = 10_000
_TAGS_KEPT = 200_000  # about 230 bytes each; the process has to do with 256 MiB

_Key = tuple[str | None, tuple[str, ...], str | None, bool, str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """One compiled policy with a share in the memory of `Policies`."""

    policy: Policy
    memory: "Policies"

    def select(self, tags: Tags, *, floor: Version | None) -> Selection:
        return self.memory.ranking(self, tags).select(floor=floor)

    def read(self, tag: str) -> Version | None:
        """How a tag reads as a version; None: it does not."""
        return self.policy.read(tag)


class Policies:
    """Compiled policies, and what they made of the listings seen last."""

    def __init__(self) -> None:
        self._judges: OrderedDict[_Key, Judge] = OrderedDict()
        self._rankings: OrderedDict[tuple[Judge, object], tuple[Tags, Ranking]] = OrderedDict()
        self._tags = 0

    def of(self, spec: Spec) -> Judge:
        """The policy of a spec. Raises InvalidPattern or InvalidRange naming the field."""
        tags = spec.tags
        key = (tags.pattern, tags.exclude, tags.range, tags.prereleases, spec.pin)
        judge = self._judges.get(key)
        if judge is None:
            policy = Policy.compile(
                pattern=tags.pattern,
                exclude=tags.exclude,
                range=tags.range,
                prereleases=tags.prereleases,
                pin=spec.pin,
            )
            judge = self._judges[key] = Judge(policy, self)
            if len(self._judges) > _POLICIES_KEPT:
                self._judges.popitem(last=False)
        else:
            self._judges.move_to_end(key)
        return judge

    def ranking(self, judge: Judge, tags: Tags) -> Ranking:
        """What a policy makes of a listing; the newest of each source is judged once."""
        key = (judge, tags.source)
        known = self._rankings.pop(key, None)
        if known is not None and known[0] is tags:
            self._rankings[key] = known
            return known[1]
        if known is not None:
            self._tags -= len(known[0])
        ranking = Ranking(judge.policy, tags)
        self._rankings[key] = (tags, ranking)
        self._tags += len(tags)
        while self._tags > _TAGS_KEPT and len(self._rankings) > 1:
            _, (forgotten, _) = self._rankings.popitem(last=False)
            self._tags -= len(forgotten)
        return ranking
