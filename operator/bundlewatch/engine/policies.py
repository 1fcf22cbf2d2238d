"""Policies compiled once and shared: watches that want the same of the same tags have them judged once.

What a policy makes of a listing does not depend on who asks, only the floor does; so the judgement is kept and
each watch draws its own selection from it. Of each repository only the newest judgement is kept, for a bounded
number of tags in all.
"""

import contextlib
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from bundlewatch.api.gates import Gates as GatesSpec
from bundlewatch.api.v1alpha1 import BundleWatch, Spec
from bundlewatch.engine.listing import Tags
from bundlewatch.policy.gates import Gates
from bundlewatch.policy.order import Reading
from bundlewatch.policy.policy import Policy
from bundlewatch.policy.ranking import Ranking
from bundlewatch.policy.selection import Running, Selection

_POLICIES_KEPT = 10_000
_TAGS_KEPT = 200_000  # up to 380 bytes each; the process has to do with 256 MiB
_FEW = 8  # up to an eighth of the tags may change before all are judged again


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """One compiled policy with a share in the memory of `Policies`."""

    policy: Policy
    memory: "Policies"

    def select(self, tags: Tags, *, running: Running) -> Selection:
        return Selection(self.memory.ranking(self, tags), running)

    def read(self, tag: str) -> Reading | None:
        """How a tag reads in the policy's order; None: it does not."""
        return self.policy.read(tag)


def compiled(spec: Spec) -> Policy:
    """The policy of a spec. Raises InvalidPattern or InvalidRange naming the field."""
    tags = spec.tags
    return Policy.compile(
        pattern=tags.pattern,
        exclude=tags.exclude,
        order=tags.order,
        direction=tags.direction,
        range=tags.range,
        prereleases=tags.prereleases,
        pin=spec.pin,
    )


class Policies:
    """Compiled policies, and what they made of the listings seen last."""

    def __init__(self) -> None:
        self._judges: OrderedDict[Hashable, Judge] = OrderedDict()
        self._rankings: OrderedDict[tuple[Judge, object], tuple[Tags, Ranking]] = OrderedDict()
        self._gates: OrderedDict[tuple[str, str], tuple[GatesSpec, Gates]] = OrderedDict()
        self._tags = 0

    def of(self, spec: Spec) -> Judge:
        """The policy of a spec, shared. Raises InvalidPattern or InvalidRange naming the field."""
        key = (spec.tags, spec.pin)
        judge = self._judges.get(key)
        if judge is None:
            judge = self._judges[key] = Judge(compiled(spec), self)
            if len(self._judges) > _POLICIES_KEPT:
                self._judges.popitem(last=False)
        else:
            self._judges.move_to_end(key)
        return judge

    def gates(self, watch: BundleWatch) -> Gates:
        """The gates of a BundleWatch. Raises InvalidSpec naming the field."""
        key = (watch.namespace, watch.name)
        known = self._gates.get(key)
        if known is None or known[0] != watch.spec.gates:
            compiled_gates = Gates.compile(watch.spec.gates, name=watch.name, namespace=watch.namespace)
            known = self._gates[key] = (watch.spec.gates, compiled_gates)
            if len(self._gates) > _POLICIES_KEPT:
                self._gates.popitem(last=False)
        return known[1]

    def ranking(self, judge: Judge, tags: Tags) -> Ranking:
        """What a policy makes of a listing; the newest of each source is judged once, and of the next one only what
        is new.
        """
        key = (judge, tags.source)
        known = self._rankings.pop(key, None)
        if known is not None and known[0] is tags:
            self._rankings[key] = known
            return known[1]
        if known is not None:
            self._tags -= len(known[0])
        ranking = _ranking(judge.policy, tags, known)
        self._rankings[key] = (tags, ranking)
        self._tags += len(tags)
        while self._tags > _TAGS_KEPT and len(self._rankings) > 1:
            _, (forgotten, _) = self._rankings.popitem(last=False)
            self._tags -= len(forgotten)
        return ranking


def _ranking(policy: Policy, tags: Tags, known: tuple[Tags, Ranking] | None) -> Ranking:
    if known is not None:
        before, ranking = known
        gone, new = set(before).difference(tags), set(tags).difference(before)
        if _FEW * (len(gone) + len(new)) < len(tags):
            with contextlib.suppress(LookupError):
                return ranking.after(gone=gone, new=new)
    return Ranking(policy, tags)
