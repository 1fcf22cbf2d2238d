"""How a release fares on one Application: under way, healthy, or failed, and what of it has to be remembered.

A release is under way from the moment that we set a target revision until it was seen healthy for a while; only
then can it fail. What degrades later was healthy with the very same bundle, so going back is no cure.

Its clock runs while Argo CD is at work on it, and stands still while it waits for something else: a person who has
paused it, a sync window, a controller that is down, another operation. A health that cannot be told is no failure,
and neither is an AppProject that does not permit the Application: the bundle is not to blame.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bundlewatch.api.moments import moment
from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.assessment import Assessment, Cause, Phase

SETTLE = timedelta(seconds=10)
"""How long it must have been healthy: what Argo CD says right after a sync may be the last of the old release."""

_AT_WORK = frozenset({Phase.SYNCING, Phase.PROGRESSING, Phase.DEGRADED})
_CLOCK_RUNS = _AT_WORK | {Phase.FAILED}
_HEALTHY = str(Phase.HEALTHY)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a release may take, and how long it may be Degraded."""

    timeout: timedelta
    degraded_for: timedelta


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a release has failed: one CamelCase word, and a sentence with Argo CD's words."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a target stands with what it is set to."""

    phase: str
    since: datetime
    deadline: datetime | None
    """None: no release is under way."""

    last_healthy: str | None
    failure: Failure | None = None
    recheck_at: datetime | None = None
    """When time alone may change any of this."""

    refresh: bool = False
    """Whether Argo CD is to render it anew: it keeps an error for an hour, also that of a bad moment."""

    @property
    def settled(self) -> bool:
        """Healthy, and not only just now."""
        return self.phase == _HEALTHY and self.deadline is None


def follow(
    assessment: Assessment,
    *,
    live: str,
    record: ApplicationStatus | None,
    moved_at: datetime | None,
    limits: Limits,
    now: datetime,
    vanished: bool = False,
    runs: str | None = None,
) -> Progress:
    """Where a target stands that is set to `live`.

    `record`: what status remembers of it. `moved_at`: when we set it to `live`, where no status tells of that yet.
    `vanished`: a complete listing does not have the tag any more. `runs`: the target revision by which what runs could
    be had again, which of a range is another than `live`; None: nobody can tell.
    """
    known = record if record is not None and record.target in {live, None, ""} and moved_at is None else None
    # Of what somebody else has set, too: it would tick.
    same = record is not None and record.phase == assessment.phase and moved_at is None
    since = (moment(record.since) if record is not None and same else None) or now
    last_healthy = record.last_healthy if record is not None else None
    deadline = moved_at + limits.timeout if moved_at is not None else _deadline(known, assessment.phase, now=now)
    recheck_at = assessment.recheck_at
    if assessment.phase is Phase.HEALTHY:
        if deadline is None or now >= since + SETTLE:
            return Progress(assessment.phase, since, None, runs or last_healthy, recheck_at=recheck_at)
        return Progress(assessment.phase, since, deadline, last_healthy, recheck_at=_first(recheck_at, since + SETTLE))
    failure, refresh = None, False
    if deadline is not None:
        failure = _failure(assessment, since=since, deadline=deadline, limits=limits, now=now, vanished=vanished)
        if failure is None:
            recheck_at = _first(recheck_at, _due(assessment, since=since, deadline=deadline, limits=limits))
            if assessment.cause is Cause.CANNOT_RENDER and (known is None or known.refreshed_at is None):
                half_time = deadline - limits.timeout / 2
                refresh = now >= half_time
                recheck_at = _first(recheck_at, None if refresh else half_time)
    return Progress(assessment.phase, since, deadline, last_healthy, failure, recheck_at, refresh)


def _deadline(record: ApplicationStatus | None, phase: Phase, *, now: datetime) -> datetime | None:
    deadline = moment(record.deadline) if record is not None else None
    if record is None or deadline is None or record.phase in _AT_WORK or record.phase == phase:
        return deadline
    if record.phase == Phase.FAILED and phase not in _CLOCK_RUNS:
        return deadline  # what could not be rendered for a while has its time once it is at work
    stood_still_since = moment(record.since)
    return deadline + (now - stood_still_since) if stood_still_since is not None else deadline


_LASTING: Mapping[Cause, str] = {
    Cause.SYNCING: "TimedOut",
    Cause.RETRYING: "SyncFailed",
    Cause.PROGRESSING: "TimedOut",
    Cause.MISSING: "TimedOut",
    Cause.DEGRADED: "Degraded",
    Cause.CANNOT_RENDER: "CannotRender",
    Cause.INTERNAL_ERROR: "TimedOut",
}
"""What is a failure once the time is up. Of a chart that cannot be rendered it cannot be told whether the registry,
or the part of Argo CD that renders, is only away for a while; what runs is not touched by it."""


def _failure(
    assessment: Assessment,
    *,
    since: datetime,
    deadline: datetime,
    limits: Limits,
    now: datetime,
    vanished: bool,
) -> Failure | None:
    cause = assessment.cause
    if cause is Cause.SYNC_FAILED:
        return Failure("SyncFailed", assessment.message)
    if cause is Cause.CANNOT_RENDER and vanished:
        return Failure("Vanished", f"the tag is not in the registry any more; {assessment.message}")
    if cause is Cause.DEGRADED and now >= since + limits.degraded_for:
        return Failure("Degraded", f"Degraded for {spoken(limits.degraded_for)} without a break: {assessment.message}")
    reason = _LASTING.get(cause)
    if reason is None or now < deadline:
        return None
    return Failure(reason, f"not Synced and Healthy within {spoken(limits.timeout)}: {assessment.message}")


def _due(assessment: Assessment, *, since: datetime, deadline: datetime, limits: Limits) -> datetime | None:
    if assessment.cause is Cause.DEGRADED:
        return min(deadline, since + limits.degraded_for)
    return deadline if assessment.cause in _LASTING else None


def _first(*moments: datetime | None) -> datetime | None:
    return min((found for found in moments if found is not None), default=None)


def spoken(span: timedelta) -> str:
    """A span of time as people write it in the spec: 10m, 1h30m, 45s."""
    minutes, seconds = divmod(round(span.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number) or "0s"
