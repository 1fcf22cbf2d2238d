"""Which Events two statuses are apart: moves, and what the object came to. Nothing that is not a transition."""

from collections.abc import Iterable, Iterator

from bundlewatch.api.v1alpha1 import API_VERSION, KIND, Condition, Identity, Quarantined, Status
from bundlewatch.argocd.application import Application
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.cluster.events import Notice, Subject
from bundlewatch.engine.found import Outcome, Seen
from bundlewatch.rollout.plan import Action

MOVED = "Moved"
TAKEN_BACK = "TakenBack"
TARGET_REVISION_CHANGED = "TargetRevisionChanged"
_QUIET = frozenset({"Progressing"})  # a move has an Event of its own


def notices(watch: Identity, before: Status, after: Status, outcome: Outcome, *, now: str) -> Iterator[Notice]:
    """What to tell of the way from `before` to `after`, in the order it happened."""
    subject = _subject(watch)
    for seen in outcome.seen:
        moved_from = seen.moved_from
        if moved_from is None:
            continue
        target, application = seen.step.desired, seen.step.target.application
        origin = f" from {moved_from}" if moved_from else ""
        moved, why = "moved", f": {seen.step.message}" if seen.step.message else ""
        if seen.done_at is None and not origin:  # perhaps long ago: whoever knew has lost it
            moved, why = "had moved", ", and no status told of it"
        if seen.step.action is Action.TAKE_BACK:
            yield from _taken_back(watch, seen, (*after.quarantine, *before.quarantine), now=now)
            continue
        yield Notice(subject, "Normal", MOVED, f"{moved} Application {application.name}{origin} to {target}{why}", now)
        yield Notice(
            _application(application),
            "Normal",
            TARGET_REVISION_CHANGED,
            f"BundleWatch {watch.name} {moved} targetRevision{origin} to {target}{why}",
            now,
        )
    ready, was = _ready(after), _ready(before)
    if ready is None or ready.reason in _QUIET or (was and (was.status, was.reason) == (ready.status, ready.reason)):
        return
    if was is not None and was.reason in _QUIET and _is_a_wobble(was, before, after):
        return
    yield Notice(subject, "Warning" if ready.status == "False" else "Normal", ready.reason, ready.message, now)


def _taken_back(watch: Identity, seen: Seen, failures: Iterable[Quarantined], *, now: str) -> Iterator[Notice]:
    application, back, failed = seen.step.target.application, seen.step.desired, seen.moved_from or ""
    entry = next((entry for entry in failures if entry.tag == tag_of(failed)), None)
    why = f": {entry.message}" if entry is not None else ""
    told = f"took {failed} back from Application {application.name}, to {back}{why}"
    yield Notice(_subject(watch), "Warning", TAKEN_BACK, told, now)
    told = f"BundleWatch {watch.name} took targetRevision back from {failed} to {back}{why}"
    yield Notice(_application(application), "Warning", TARGET_REVISION_CHANGED, told, now)


def _is_a_wobble(progressing: Condition, before: Status, after: Status) -> bool:
    """Nothing was released, and all is well again: Pods were restarted, or Argo CD looked away for a moment."""
    ready = _ready(after)
    moved = after.history[0].time if after.history else None
    return (
        ready is not None
        and ready.status == "True"
        and before.current is not None
        and (moved is None or moved < progressing.last_transition_time)
    )


def _ready(status: Status) -> Condition | None:
    return next((condition for condition in status.conditions if condition.type == "Ready"), None)


def _subject(watch: Identity) -> Subject:
    return Subject(API_VERSION, KIND, watch.namespace, watch.name, watch.uid)


def _application(application: Application) -> Subject:
    return Subject("argoproj.io/v1alpha1", "Application", application.namespace, application.name, application.uid)
