"""Says where an Application stands on its way to a wanted target revision, from what Argo CD wrote.

Argo CD's "Synced" and "Healthy" are about the last thing it looked at, which right after a write is the old
release, and its operation may belong to another version altogether; so everything is first matched to the
wanted target revision, and health counts only together with Synced. The questions below are asked in order,
and the first that knows an answer gives it. Message texts of Argo CD are shown and never compared. It decides
nothing: how long something may last, and what follows, is the rollout's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from bundlewatch.api.text import clean
from bundlewatch.argocd.application import (
    COMPARISON_ERROR,
    INVALID_SPEC_ERROR,
    SKIP_RECONCILE,
    SYNC_ERROR,
    UNKNOWN_ERROR,
    Application,
    Freshness,
    OperationState,
    Source,
    SourceRevision,
)
from bundlewatch.argocd.assessment import Assessment, Cause, Phase
from bundlewatch.argocd.matching import SourceKind, kind_of
from bundlewatch.argocd.running import is_range

__all__ = ["MESSAGE_LIMIT", "Assessment", "Cause", "Phase", "assess"]

MESSAGE_LIMIT = 300

NOTICED_AFTER = timedelta(seconds=60)
"""Argo CD notices a patch within a second; after this long something keeps it from looking."""
STARTED_AFTER = timedelta(minutes=2)
"""An automatic sync starts with the comparison, or not before the next resync."""
HELD_AFTER = timedelta(seconds=10)
"""After this long a running operation may well be one that a sync window holds."""
SETTLED_AFTER = timedelta(seconds=5)
"""Times count seconds, and the comparison that follows an operation may have begun before its end."""
_CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """What the questions look at; `target` is what the spec is to say at `index`."""

    application: Application
    index: int
    target: str
    digest: str | None
    patched_at: datetime | None
    now: datetime
    shut: str

    @property
    def source(self) -> Source | None:
        sources = self.application.sources
        return sources[self.index] if self.index < len(sources) else None

    @property
    def operation(self) -> OperationState | None:
        return self.application.operation_state

    def is_about_target(self, sources: tuple[SourceRevision, ...]) -> bool:
        """Whether a part of status speaks of the source as the spec has it, which is as wanted."""
        spec = self.application.sources
        return len(sources) == len(spec) and sources[self.index] == SourceRevision.of(spec[self.index])

    def finished_for_target(self) -> OperationState | None:
        """The last operation, if it is over, was a full one and applied the wanted target revision."""
        # Once it is over its result is its own; what it was asked may still be left over from an older one.
        done = self.operation
        if done is None or done.partial or done.phase not in {"Succeeded", "Failed", "Error"}:
            return None
        return done if self.is_about_target(done.result_sources or done.sources) else None

    def within(self, span: timedelta, *, not_before: datetime | None = None) -> datetime | None:
        """Until when `span` after our write lasts, counted from `not_before` where that is later.

        None when it is over, or when the write was not ours.
        """
        if self.patched_at is None:
            return None
        until = max(self.patched_at, not_before or self.patched_at) + span
        return until if self.now < until else None


def assess(
    application: Application,
    source_index: int,
    *,
    target: str,
    digest: str | None,
    patched_at: datetime | None,
    now: datetime,
    shut: str = "",
) -> Assessment:
    """Where source `source_index` stands on its way to `target`, a target revision as spelled for it.

    `digest`: what `target` pointed at when it was inspected; only a native source can be held to it.
    `patched_at`: when we wrote `target`; None when somebody else did, or nobody knows.
    `shut`: what lets no sync through at present, such as a sync window; "" where nothing does, or nobody knows.
    """
    case = _Case(
        application=application,
        index=source_index,
        target=target,
        digest=digest,
        patched_at=patched_at,
        now=now,
        shut=shut,
    )
    answers = (question(case) for question in _QUESTIONS)
    return next(answer for answer in answers if answer is not None)


def _say(
    phase: Phase, cause: Cause, sentence: str, words: str = "", *, recheck_at: datetime | None = None
) -> Assessment:
    message = clean(f"{sentence}: {words}" if words else sentence, max_length=MESSAGE_LIMIT)
    return Assessment(phase=phase, cause=cause, message=message, recheck_at=recheck_at)


def _deleting(case: _Case) -> Assessment | None:
    if not case.application.deleting:
        return None
    return _say(Phase.WAITING, Cause.DELETING, "the Application is being deleted")


def _asked_for(case: _Case) -> Assessment | None:
    if case.source is None:
        there = f"the Application has no source {case.index} any more"
    elif (case.source.target_revision or "") != case.target:
        manager = case.application.target_revision_managers.get(case.index)
        by = f", last written by {manager.name}" if manager is not None and manager.name else ""
        there = f"targetRevision is {case.source.target_revision or 'empty'}{by}"
    else:
        return None
    return _say(Phase.OUT_OF_SYNC, Cause.TARGET_REVISION_DIFFERS, f"{case.target} is wanted, but {there}")


def _looked_at(case: _Case) -> Assessment | None:
    # All of status is frozen then, so no later answer would tell the present.
    if case.application.annotations.get(SKIP_RECONCILE, "").lower() not in {"true", "t", "1"}:
        return None
    sentence = f"Argo CD leaves the Application alone while its annotation {SKIP_RECONCILE} says so"
    return _say(Phase.SUSPENDED, Cause.SKIP_RECONCILE, sentence)


def _permitted(case: _Case) -> Assessment | None:
    # Asked before `_noticed`: with these Argo CD stops before it writes what it compared with.
    found = case.application.condition(INVALID_SPEC_ERROR, UNKNOWN_ERROR)
    if found is None:
        return None
    if found.type == INVALID_SPEC_ERROR:
        return _say(Phase.FAILED, Cause.NOT_PERMITTED, "Argo CD refuses the Application", found.message)
    return _say(Phase.FAILED, Cause.INTERNAL_ERROR, "Argo CD fails on the Application", found.message)


def _noticed(case: _Case) -> Assessment | None:
    if case.is_about_target(case.application.compared_to):
        return None
    return _not_noticed(case)


def _not_noticed(case: _Case) -> Assessment:
    until = case.within(NOTICED_AFTER)
    sentence = f"Argo CD has not looked at {case.target} yet"
    if case.patched_at is not None and until is None:
        sentence += (
            f" for over {NOTICED_AFTER.total_seconds():.0f} s: check that its application-controller runs "
            f"and serves namespace {case.application.namespace}"
        )
    return _say(Phase.WAITING, Cause.NOT_OBSERVED, sentence, recheck_at=until)


def _rendered(case: _Case) -> Assessment | None:
    error = case.application.condition(COMPARISON_ERROR)
    if error is None and case.application.sync_status != "Unknown":
        return None
    words = error.message if error else ""
    return _say(Phase.FAILED, Cause.CANNOT_RENDER, f"Argo CD cannot render {case.target}", words)


def _same_digest(case: _Case) -> Assessment | None:
    expected = _expected_revision(case)
    revisions = case.application.sync_revisions
    used = revisions[case.index] if case.index < len(revisions) else ""
    if expected is None or used == expected:
        return None
    sentence = f"{case.target} was {expected} when it was inspected, and Argo CD found {used or 'nothing'}"
    return _say(Phase.WAITING, Cause.TAG_MOVED, sentence)


def _expected_revision(case: _Case) -> str | None:
    """What `sync.revision` has to read; None where it cannot be told beforehand."""
    if case.source is not None and kind_of(case.source) is SourceKind.NATIVE_OCI:
        digest = case.target.rpartition("@")[2]
        return digest if digest.startswith("sha256:") else case.digest
    # A range is somebody's own arrangement: whatever it was resolved to is right.
    return None if is_range(case.target) else case.target


def _at_work(case: _Case) -> Assessment | None:
    running = case.operation
    if running is not None and running.phase not in {"Running", "Terminating"}:
        running = None
    if running is None:
        if not case.application.has_operation:
            return None
        return _say(Phase.SYNCING, Cause.SYNCING, f"Argo CD is about to sync {case.target}")
    other = _other_version(case, running)
    if other is not None:
        sentence = f"Argo CD is still busy with the sync of {other}, and leaves {case.target} until it ends"
        return _say(Phase.WAITING, Cause.OTHER_OPERATION, sentence, running.message)
    if case.shut and running.phase == "Running":
        # It reads Running all the while, and only a text of it would tell.
        return _say(Phase.WAITING, Cause.OPERATION_HELD, f"the sync of {case.target} gets no further: {case.shut}")
    if running.finished_at is not None:
        sentence = f"the sync of {case.target} failed and will be tried again (retry {running.retry_count})"
        return _say(Phase.SYNCING, Cause.RETRYING, sentence, running.culprit or running.message)
    # Until its own result is there, the message may be the one of the operation before.
    words = running.message if case.is_about_target(running.result_sources) else ""
    begun = running.started_at + HELD_AFTER if running.started_at is not None else None
    until = begun if begun is not None and case.now < begun else None
    return _say(Phase.SYNCING, Cause.SYNCING, f"Argo CD is syncing {case.target}", words, recheck_at=until)


def _other_version(case: _Case, running: OperationState) -> str | None:
    """The version a running operation is pinned to, if another; None where status contradicts itself."""
    pinned = running.sources
    if len(pinned) != len(case.application.sources) or case.is_about_target(pinned):
        return None
    if running.result_sources not in {(), pinned}:
        return None
    return pinned[case.index].target_revision or None


def _sync_failed(case: _Case) -> Assessment | None:
    done = case.finished_for_target()
    if done is None or done.phase == "Succeeded":
        return None
    # Of a version wanted again an old failure proves nothing; if it still counts, `_given_up` knows.
    started_at, patched_at = done.started_at, case.patched_at
    if started_at is not None and patched_at is not None and started_at + _CLOCKS_DIFFER < patched_at:
        return None
    return _say(Phase.FAILED, Cause.SYNC_FAILED, f"the sync of {case.target} failed", done.culprit or done.message)


def _given_up(case: _Case) -> Assessment | None:
    # Set or taken back by each comparison, and the last one was about this version.
    found = case.application.condition(SYNC_ERROR)
    if found is None:
        return None
    sentence = f"Argo CD gave up syncing {case.target}"
    done = case.finished_for_target()
    return _say(Phase.FAILED, Cause.SYNC_FAILED, sentence, (done.culprit if done else "") or found.message)


def _synced_yet_different(case: _Case) -> Assessment | None:
    # Asked before `_nobody_syncs`: what was synced and is not in sync waits for no sync.
    done = case.finished_for_target()
    if case.application.sync_status != "OutOfSync" or done is None or done.finished_at is None:
        return None
    if done.phase != "Succeeded":
        return None
    if case.application.freshness is not Freshness.AFTER:
        return _stale()
    settled_at = done.finished_at + SETTLED_AFTER
    if case.now < settled_at:
        return _stale(recheck_at=settled_at)
    sentence = (
        f"Argo CD calls the sync of {case.target} done, but the cluster still differs: resources were "
        "changed since, some wait to be pruned, or nothing was applied"
    )
    return _say(Phase.OUT_OF_SYNC, Cause.DRIFT, sentence, case.application.health_message)


def _stale(*, recheck_at: datetime | None = None) -> Assessment:
    sentence = "Argo CD has not yet looked at the resources since the last sync ended"
    return _say(Phase.WAITING, Cause.HEALTH_STALE, sentence, recheck_at=recheck_at)


def _nobody_syncs(case: _Case) -> Assessment | None:
    if case.application.sync_status != "OutOfSync":
        return None
    if not case.application.automated:
        sentence = f"automatic sync is off: {case.target} waits for someone to sync it"
        return _say(Phase.OUT_OF_SYNC, Cause.MANUAL_SYNC, sentence)
    done = case.operation
    if done is not None and done.phase in {"Succeeded", "Failed", "Error"} and done.finished_at is None:
        # A restart of the controller can lose the end of an operation; it then never starts another.
        sentence = (
            f"Argo CD lost track of its last operation and will not sync {case.target} by itself: "
            "sync it by hand, or set status.operationState to null"
        )
        return _say(Phase.OUT_OF_SYNC, Cause.STUCK_OPERATION, sentence)
    # Argo CD starts no sync before the operation that was in its way has ended.
    until = case.within(STARTED_AFTER, not_before=done.finished_at if done is not None else None)
    if until is not None:
        sentence = f"{case.target} waits for Argo CD's automatic sync"
        return _say(Phase.WAITING, Cause.AUTO_SYNC_EXPECTED, sentence, recheck_at=until)
    sentence = (
        f"Argo CD does not sync {case.target} automatically, and gives no reason: a sync window of its "
        "AppProject may deny it, or only pruning is left and is off"
    )
    return _say(Phase.OUT_OF_SYNC, Cause.AUTO_SYNC_HELD, sentence)


def _fresh(case: _Case) -> Assessment | None:
    done = case.operation
    if done is None or done.finished_at is None:
        return None
    if case.application.freshness in {Freshness.BEFORE, Freshness.UNKNOWN}:
        return _stale()
    # The operation of another version may have applied that version after this comparison had begun, and what
    # was compared is gone. An operation of the wanted version can only have made it more true.
    settled_at = done.finished_at + SETTLED_AFTER
    if case.now < settled_at and case.finished_for_target() is None:
        return _stale(recheck_at=settled_at)
    return None


_SAYINGS = {
    "Progressing": (Phase.PROGRESSING, Cause.PROGRESSING, "is applied, its resources are on their way"),
    "Missing": (Phase.PROGRESSING, Cause.MISSING, "is applied, but none of its resources is there"),
    "Suspended": (Phase.SUSPENDED, Cause.SUSPENDED, "is applied and paused until someone resumes it"),
    "Degraded": (Phase.DEGRADED, Cause.DEGRADED, "is applied, and Argo CD calls its resources degraded"),
    "Healthy": (Phase.HEALTHY, Cause.HEALTHY, "is synced and healthy"),
}
_UNKNOWN = (Phase.WAITING, Cause.HEALTH_UNKNOWN, "is applied, and Argo CD cannot tell its health")


def _health(case: _Case) -> Assessment:
    if case.application.sync_status != "Synced":
        return _not_noticed(case)
    phase, cause, sentence = _SAYINGS.get(case.application.health_status, _UNKNOWN)
    return _say(phase, cause, f"{case.target} {sentence}", case.application.health_message)


_QUESTIONS: tuple[Callable[[_Case], Assessment | None], ...] = (
    _deleting,
    _asked_for,
    _looked_at,
    _permitted,
    _noticed,
    _rendered,
    _same_digest,
    _at_work,
    _sync_failed,
    _given_up,
    _synced_yet_different,
    _nobody_syncs,
    _fresh,
    _health,
)
