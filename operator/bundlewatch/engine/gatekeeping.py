"""Whether a chosen bundle may go now: the quarantine and the gates of one BundleWatch, at one moment.

It brings together what the pure rules need (what status recorded, what other BundleWatches have had healthy, the time)
and keeps what they want remembered. What runs everywhere already has gone, and is asked for nothing any more; what is
pinned is asked for nothing either.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from bundlewatch.api.gates import MANUAL
from bundlewatch.api.v1alpha1 import Approved, BundleWatch, FirstSeen, Identity
from bundlewatch.argocd.spelling import target_revision
from bundlewatch.engine.carrying import Known, aim
from bundlewatch.engine.choosing import Chosen, Ruling
from bundlewatch.engine.following import Following
from bundlewatch.engine.memory import Memory
from bundlewatch.errors import InvalidSpec
from bundlewatch.policy.gates import Candidate, Gates, Waiting, approve, first_seen_of, note_first_seen
from bundlewatch.policy.verdict import Reason
from bundlewatch.rollout.chain import cycle, soak_of
from bundlewatch.rollout.quarantine import Quarantine
from bundlewatch.rollout.targets import Target


class Upstreams(Protocol):
    """The other BundleWatches, by name."""

    def watch(self, namespace: str, name: str) -> Identity | None: ...


class Gatekeeper:
    """Of one pass. After `rule` was asked about every candidate, the rest says what to remember of it."""

    def __init__(
        self,
        watch: BundleWatch,
        gates: Gates,
        *,
        targets: Sequence[Target],
        upstreams: Upstreams,
        applications: Known,
        quarantine: Quarantine,
        now: datetime,
    ) -> None:
        self._watch = watch
        self._gates = gates
        self._targets = targets
        self._upstreams = upstreams
        self._applications = applications
        self._now = now
        self._due: list[datetime] = []
        self._seen: list[tuple[str, str]] = []
        self._upstream_of: dict[str, Identity | None] = {}
        self.quarantine = quarantine
        self.closure: Ruling | None = None
        """Why nothing is moved now, whatever it is; None: a window is open, or there are none."""

        manual = watch.spec.gates.approval == MANUAL
        self.approved: tuple[Approved, ...] = watch.status.approved if manual else ()

    @property
    def first_seen(self) -> tuple[FirstSeen, ...]:
        """When the bundles it was asked about were first seen, as far as the spec asks for their age."""
        if self._watch.spec.gates.min_age is None:
            return ()
        return note_first_seen(self._watch.status.first_seen, self._seen, self._now)

    @property
    def next_transition(self) -> datetime | None:
        """When the passing of time may next open a gate."""
        return min(self._due, default=None)

    def rule(self, chosen: Chosen) -> Ruling | None:
        """Whether a bundle may go; None: it may."""
        if self._watch.spec.pin is not None or self._runs_everywhere(chosen.candidate.tag):
            return None
        return self._quarantined(chosen) or self._waits(chosen)

    def closed(self, tag: str) -> str | None:
        """Why nothing is moved now; None: it may be."""
        if self._watch.spec.pin is not None:
            return None
        waiting = self._gates.closed(self._now)
        if waiting is None:
            return None
        self.closure = self._noted(waiting)
        return f"{tag} waits: {waiting.message}"

    def _runs_everywhere(self, tag: str) -> bool:
        return bool(self._targets) and all(
            target.source.target_revision == target_revision(tag, target.kind) for target in self._targets
        )

    def _quarantined(self, chosen: Chosen) -> Ruling | None:
        tag = chosen.candidate.tag
        if not any(target.tag == tag for target in self._targets):
            # Where it is set, what failed may run still: let go of, it would be found to have failed again and again.
            self.quarantine = self.quarantine.seen(tag=tag, digest=chosen.digest)
        entry = self.quarantine.entry(tag=tag, digest=chosen.digest)
        if entry is None:
            return None
        other = f" as {entry.tag}" if entry.tag != tag else ""
        since = f" since {entry.since}" if entry.since else ""
        message = f"quarantined{other}{since}, it failed ({entry.reason}): {entry.message or 'no more is known'}"
        return Ruling(Reason.QUARANTINED, message, failed=entry)

    def _waits(self, chosen: Chosen) -> Ruling | None:
        bundle = Candidate(tag=chosen.candidate.tag, digest=chosen.digest, version=chosen.version or None)
        approval = approve(self.approved, self._watch.approval, tag=bundle.tag, digest=bundle.digest)
        if self._watch.spec.gates.approval == MANUAL:
            self.approved = approval.recorded
        if self._watch.spec.gates.min_age is not None:
            self._seen.append((bundle.tag, bundle.digest))
        waiting = self._gates.why_not(
            bundle,
            approval=approval,
            # Now is when status says that it was first seen: said otherwise, the next pass would have to say it anew.
            first_seen=first_seen_of(self._watch.status.first_seen, bundle.digest) or self._now,
            upstreams={
                after.name: soak_of(after, self._upstream(after.name), watch=self._watch, bundle=bundle, now=self._now)
                for after in self._watch.spec.gates.after
            },
            now=self._now,
        )
        return self._noted(waiting) if waiting is not None else None

    def _noted(self, waiting: Waiting) -> Ruling:
        if waiting.until is not None and waiting.until > self._now:
            self._due.append(waiting.until)
        return Ruling(waiting.reason, waiting.message, waiting.until)

    def _upstream(self, name: str) -> Identity | None:
        if name not in self._upstream_of:
            self._upstream_of[name] = self._look_at(name)
        return self._upstream_of[name]

    def _look_at(self, name: str) -> Identity | None:
        """An upstream as it is now: what its status says may be from before a restart."""
        found = self._upstreams.watch(self._watch.namespace, name)
        if not isinstance(found, BundleWatch) or not found.status.history:
            return found
        targets, _ = aim(found, self._applications)
        standings = Following(found, Memory.of(found), self._now).of_all(targets).values()
        if standings and all(standing.progress.settled for standing in standings):
            return found
        newest, *older = found.status.history
        if newest.healthy_until is None:
            newest = replace(newest, healthy_since=None)  # until when it was, nobody knows
        return replace(found, status=replace(found.status, history=(newest, *older)))


def in_order(watch: BundleWatch, upstreams: Upstreams) -> None:
    """Raises InvalidSpec where a BundleWatch waits, by way of others, for itself."""
    by_name: dict[str, BundleWatch] = {}
    ahead = [after.name for after in watch.spec.gates.after]
    while ahead:
        name = ahead.pop()
        found = upstreams.watch(watch.namespace, name) if name not in by_name else None
        if isinstance(found, BundleWatch):
            by_name[name] = found
            ahead += [after.name for after in found.spec.gates.after]
    way = cycle(watch, by_name)
    if way == (watch.name, watch.name):
        raise InvalidSpec("spec.gates.after names this BundleWatch itself, which would wait for ever: take it out")
    if way is not None:
        raise InvalidSpec(
            f"spec.gates.after leads back to itself, {' -> '.join(way)}, so that each waits for the next for ever: "
            "take one of them out of the gates.after of another"
        )
