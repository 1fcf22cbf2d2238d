"""Which targets go back after a release has failed, and whereto.

Back is the target revision that this BundleWatch saw healthy there last, before the release. A target that was seen
healthy with the failed bundle keeps it: there it proved itself, and going back would be another change. What goes
back is no release: if it does not become healthy again, nothing is known that would be better.
"""

from collections.abc import Mapping, Sequence

from bundlewatch.api.rollout import HOLD, IGNORE, REQUEST, ROLLBACK
from bundlewatch.api.v1alpha1 import ApplicationStatus, Rollout, Spec
from bundlewatch.argocd.application import Application
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.rollout.plan import Action, Step
from bundlewatch.rollout.quarantine import Quarantine
from bundlewatch.rollout.targets import Target


def on_failure(rollout: Rollout, application: Application) -> str:
    """What follows a failure there: what the spec says, else going back where somebody would apply that."""
    if rollout.on_failure is not None:
        return rollout.on_failure
    return ROLLBACK if application.automated or rollout.sync == REQUEST else HOLD


def is_judged(spec: Spec, application: Application) -> bool:
    """Whether anything follows a failure there. What is pinned is a person's own decision."""
    return spec.pin is None and on_failure(spec.rollout, application) != IGNORE


def take_backs(
    targets: Sequence[Target],
    *,
    records: Mapping[tuple[str, int], ApplicationStatus],
    quarantine: Quarantine,
    rollout: Rollout,
) -> tuple[Step, ...]:
    """One step for every target that goes back."""
    steps = []
    for target in targets:
        record = records.get(target.key)
        if record is None or on_failure(rollout, target.application) != ROLLBACK:
            continue
        back = whereto(target, record, quarantine=quarantine)
        if back is not None:
            failed = tag_of(record.target or "")
            steps.append(Step(target, Action.TAKE_BACK, back, f"{failed} failed and is taken back"))
    return tuple(steps)


def whereto(target: Target, record: ApplicationStatus, *, quarantine: Quarantine) -> str | None:
    """The target revision a target goes back to; None: it stays as it is."""
    live = target.live
    ours = record.target == live and record.deadline is not None  # a release of ours, not yet seen healthy
    back = record.fallback
    if not ours or not quarantine.has(tag_of(live)) or back is None or back == live:
        return None
    return None if quarantine.has(tag_of(back)) else back
