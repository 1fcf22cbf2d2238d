"""What status remembers of each target, and what of it still counts.

Status is the only memory there is: it says what we wanted where, and by that a person's later decision, and a
move of ours that we could not tell of, are recognised. It may be lost at any time; then nothing is remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bundlewatch.api.v1alpha1 import ApplicationStatus, BundleWatch
from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.rollout.plan import Action, Records, Step
from bundlewatch.rollout.targets import Target


@dataclass(frozen=True, slots=True)
class Memory:
    """One status, by target. Making one reads all of its records: once a pass, and once for what is then said."""

    _records: Records
    resumed: bool
    """A person has ended all holds, and no pass has heard of it yet."""

    _moved_before: bool
    _watch_created: str

    @classmethod
    def of(cls, watch: BundleWatch) -> "Memory":
        return cls(
            _records={
                (record.name, record.source): record
                for record in watch.status.applications
                if isinstance(record.source, int)
            },
            resumed=watch.resume_requested is not None
            and watch.resume_requested != watch.status.last_handled_resume_at,
            _moved_before=bool(watch.status.history),
            _watch_created=watch.creation_timestamp,
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

    def standing(self, target: Target) -> str:
        """The target revision that stands while none is decided on or none could be written.

        It is the one that a person's later decision is told from, so what we never set must not come to stand
        there; "": we never wanted one. Whoever ended all holds has accepted what is there.
        """
        record = self.record(target)
        if record is None or not record.target:
            return ""
        return (target.source.target_revision or "") if self.resumed else record.target

    def moved_untold(self, step: Step) -> str | None:
        """Where a move came from that no status tells of: we were stopped before we could write it, or never got
        the answer. It is recognised by our field manager.
        """
        target = step.target
        manager = target.application.target_revision_managers.get(target.source.index)
        arrived = step.action is Action.KEEP and not step.message
        if not arrived or manager is None or manager.name != FIELD_MANAGER:
            return None
        record = self.record(target)
        if record is not None and record.target:
            return record.target if record.target != target.source.target_revision else None
        # Nothing is known of what was before; what was moved before this BundleWatch was made, another one moved.
        since = f"{manager.time:%Y-%m-%dT%H:%M:%SZ}" if manager.time is not None else ""
        return "" if not self._moved_before and since >= self._watch_created else None
