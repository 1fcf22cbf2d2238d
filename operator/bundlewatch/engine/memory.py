"""What status remembers of a target, and what of it still counts.

Status is the only memory there is: it says what we wanted where, and by that a person's later decision, and a
move of ours that we could not tell of, are recognised. It may be lost at any time; then nothing is remembered.
"""

from bundlewatch.api import annotations
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.rollout.plan import Action, Records, Step
from bundlewatch.rollout.targets import Target

HELD = "Held"
"""The phase of a target that a person has moved since; it is left alone until they say otherwise."""


def records_of(watch: BundleWatch) -> Records:
    """What status says of each target, by Application name and source index."""
    return {
        (record.name, record.source): record for record in watch.status.applications if isinstance(record.source, int)
    }


def resumed(watch: BundleWatch) -> bool:
    """Whether a person ended all holds: by the annotation, or by changing the spec since we last looked."""
    asked = annotations.resume_requested(watch.annotations)
    return (asked is not None and asked != watch.status.last_handled_resume_at) or (
        watch.status.observed_generation is not None and watch.status.observed_generation != watch.generation
    )


def standing(target: Target, watch: BundleWatch) -> str:
    """The target revision that stands while none is decided on or none could be written.

    It is the one that a person's later decision is told from, so what we never set must not come to stand there;
    "": we never wanted one. Whoever ended all holds has accepted what is there.
    """
    record = records_of(watch).get(target.key)
    if record is None or not record.target:
        return ""
    return (target.source.target_revision or "") if resumed(watch) else record.target


def moved_untold(step: Step, watch: BundleWatch) -> str | None:
    """Where a move came from that no status tells of: we were stopped before we could write it, or never got the
    answer. It is recognised by our field manager.
    """
    target = step.target
    manager = target.application.target_revision_managers.get(target.source.index)
    arrived = step.action is Action.KEEP and not step.message
    if not arrived or manager is None or manager.name != FIELD_MANAGER:
        return None
    record = records_of(watch).get(target.key)
    if record is not None and record.target:
        return record.target if record.target != target.source.target_revision else None
    # Nothing is known of what was before; what was moved before this BundleWatch was made, another one moved.
    since = f"{manager.time:%Y-%m-%dT%H:%M:%SZ}" if manager.time is not None else ""
    return "" if not watch.status.history and since >= watch.creation_timestamp else None
