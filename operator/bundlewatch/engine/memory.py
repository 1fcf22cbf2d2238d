"""What status remembers of each target, and what of it still counts.

Status is the only memory there is: it says what we wanted where, and by that a person's later decision, and a
move of ours that we could not tell of, are recognised. It may be lost at any time; then nothing is remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bundlewatch.api.conditions import Reason
from bundlewatch.api.moments import moment, rfc3339
from bundlewatch.api.v1alpha1 import ApplicationStatus, Bundle, BundleWatch, HistoryEntry, Status
from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.argocd.provenance import COMMIT, DIGEST, PIPELINE, TAKEN_BACK, VERSION, WATCH
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.policy.version import from_tag
from bundlewatch.rollout.plan import Action, Records, Step
from bundlewatch.rollout.quarantine import Quarantine, of_marker
from bundlewatch.rollout.targets import Target


@dataclass(frozen=True, slots=True)
class Memory:
    """One status, by target. Making one reads all of its records: once a pass, and once for what is then said."""

    _records: Records
    _status: Status
    _watch_created: str
    _name: str
    resumed: bool
    """A person has ended all holds, and no pass has heard of it yet."""

    retried: str | None
    """The tag that a person wants tried again, and no pass has heard of it yet."""

    @classmethod
    def of(cls, watch: BundleWatch) -> "Memory":
        status = watch.status
        asked = watch.retry_requested
        # Whoever remembers nothing does not know whether it was done long ago.
        retry = asked is not None and bool(status.conditions) and asked != status.last_handled_retry_at
        return cls(
            _records={
                (record.name, record.source): record for record in status.applications if isinstance(record.source, int)
            },
            _status=status,
            _watch_created=watch.creation_timestamp,
            _name=f"{watch.namespace}/{watch.name}",
            resumed=watch.resume_requested is not None and watch.resume_requested != status.last_handled_resume_at,
            retried=watch.retried_tag if retry else None,
        )

    def record(self, target: Target) -> ApplicationStatus | None:
        """What is remembered of a target; nothing of an earlier Application that had its name."""
        found = self._records.get(target.key)
        if found is None or found.uid in {None, target.application.uid}:
            return found
        return None

    def records(self, targets: Sequence[Target]) -> Records:
        """The same of many, by Application name and source index."""
        return {target.key: found for target in targets if (found := self.record(target)) is not None}

    def quarantine(self, targets: Sequence[Target], *, now: datetime) -> Quarantine:
        """The bundles that go nowhere. Where a status was lost, a target that was taken back still tells of it."""
        known = Quarantine(self._status.quarantine)
        for target in targets:
            told = target.application.annotations
            marker, whose = told.get(TAKEN_BACK), told.get(WATCH, self._name)
            if marker is None or whose != self._name or self.record(target) is not None:
                continue
            entry = of_marker(marker, application=target.application.name, now=rfc3339(now))
            known = known.add(entry) if entry is not None else known
        return known.retried(self.retried) if self.retried is not None else known

    def bundle(self, tag: str) -> Bundle | None:
        """The bundle that was moved to under this tag, or chosen; None: it is not remembered."""
        moved = (
            Bundle(tag=tag, digest=entry.digest, version=entry.version)
            for entry in self._status.history
            if entry.tag == tag
        )
        known = [found for found in (self._status.current, self._status.candidate) if found and found.tag == tag]
        first = next(moved, None)
        # What was moved to has the digest that counts; the others tell more of the same bundle.
        same = [found for found in known if first is None or first.digest in {None, found.digest}]
        return next(iter(same), first)

    def bundle_of(self, target: Target) -> Bundle | None:
        """The bundle that a target is set to. Where no status knows of the move, the Application tells, if it was us
        who set it: it was told in the same request.
        """
        told, moved = target.application.annotations, any(entry.tag == target.tag for entry in self._status.history)
        # Where annotations are off by now, what is told may be of the bundle before.
        same = told.get(VERSION) in {target.tag, from_tag(target.tag), target.tag.removeprefix("v")}
        ours = told.get(WATCH) == self._name and same and told.get(DIGEST) and self.set_at(target) is not None
        if moved or not ours:
            return self.bundle(target.tag)
        try:
            return Bundle(
                tag=target.tag,
                digest=told.get(DIGEST),
                version=told.get(VERSION),
                commit=told.get(COMMIT),
                pipeline=told.get(PIPELINE),
            )
        except ValueError:  # anybody may have written it
            return None

    @property
    def history(self) -> tuple[HistoryEntry, ...]:
        return self._status.history

    def moved_to(self, tag: str) -> bool:
        """Whether we have moved something to this tag, as far as history goes back."""
        return any(entry.tag == tag and entry.time is not None for entry in self._status.history)

    def digest_of(self, tag: str) -> str | None:
        """The digest that was moved to under this tag; None: it is not remembered."""
        found = self.bundle(tag)
        return found.digest if found is not None else None

    def had_other_content(self, tag: str, digest: str) -> bool:
        """Whether another bundle is known to have had this tag before."""
        moved = [(entry.tag, entry.digest) for entry in self._status.history]
        failed = [(entry.tag, entry.digest) for entry in self._status.quarantine]
        return any(known == tag and other not in {None, digest} for known, other in (*moved, *failed))

    @property
    def was_suspended(self) -> bool:
        """Whether nothing was looked at up to now, because spec.suspend said so."""
        return any(condition.reason == Reason.SUSPENDED for condition in self._status.conditions)

    def standing(self, target: Target) -> str:
        """The target revision that stands while none is decided on or none could be written.

        It is the one that a person's later decision is told from, so what we never set must not come to stand
        there; "": we never wanted one. Whoever ended all holds has accepted what is there.
        """
        record = self.record(target)
        if record is None or not record.target:
            return ""
        return target.live if self.resumed else record.target

    def moved_untold(self, step: Step) -> str | None:
        """Where a move came from that no status tells of: we were stopped before we could write it, or never got
        the answer. It is recognised by our field manager.
        """
        target = step.target
        manager = target.writer(asked_by=self._name)
        arrived = (step.action is Action.KEEP or step.asks) and not step.message
        if not arrived or manager is None or manager.name != FIELD_MANAGER:
            return None
        record = self.record(target)
        if record is not None and record.target:
            return record.target if record.target != target.source.target_revision else None
        ours = target.application.annotations.get(WATCH, self._name) == self._name
        if record is not None and record.current not in {None, target.source.target_revision} and ours:
            return record.current  # seen before we had ever moved it
        # Nothing is known of what was before; what was moved before this BundleWatch was made, another one moved.
        since = rfc3339(manager.time) if manager.time is not None else ""
        return "" if not self._status.history and since >= self._watch_created else None

    def began_untold(self, target: Target, *, now: datetime) -> datetime | None:
        """When a release began that no status tells of; None: there is none. Going back is no release."""
        live = target.live
        if self.moved_untold(Step(target, Action.KEEP, live)) is None:
            return None
        record = self.record(target)
        gone_back = record is not None and record.fallback == live and self.was_quarantined(record.target)
        if gone_back or target.application.annotations.get(TAKEN_BACK):
            return None
        # Where status was lost it may have begun long ago, and had its time; nobody knows.
        return (self.set_at(target) or now) if record is not None else now

    def set_at(self, target: Target) -> datetime | None:
        """When we set the target to what it is set to; None: somebody else did. Where no status tells, the API server
        knows when we last wrote anything to the Application.
        """
        record = self.record(target)
        if record is not None and record.moved_at and record.target == target.live:
            return moment(record.moved_at)
        manager = target.writer(asked_by=self._name)
        return manager.time if manager is not None and manager.name == FIELD_MANAGER else None

    def was_quarantined(self, target_revision: str | None) -> bool:
        return target_revision is not None and Quarantine(self._status.quarantine).has(tag_of(target_revision))
