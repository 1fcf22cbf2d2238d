"""A release is under way, healthy or failed: by what Argo CD says, for how long, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bundlewatch.api.moments import rfc3339
from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.assessment import Assessment, Cause, Phase
from bundlewatch.rollout.progress import SETTLE, Limits, Progress, follow, spoken

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LIMITS = Limits(timeout=timedelta(minutes=10), degraded_for=timedelta(minutes=2))
LIVE = "1.0.1"
SOON = "2026-11-24T12:00:05Z"


def ranged(*, last: str) -> ApplicationStatus:
    return ApplicationStatus(name="shop", source=0, target="~1.0", phase="Healthy", since=SOON, last_healthy=last)


def says(cause: Cause, phase: Phase) -> Assessment:
    return Assessment(phase=phase, cause=cause, message="Argo CD's words")


HEALTHY = says(Cause.HEALTHY, Phase.HEALTHY)
PROGRESSING = says(Cause.PROGRESSING, Phase.PROGRESSING)
DEGRADED = says(Cause.DEGRADED, Phase.DEGRADED)
SUSPENDED = says(Cause.SUSPENDED, Phase.SUSPENDED)
SYNC_FAILED = says(Cause.SYNC_FAILED, Phase.FAILED)
CANNOT_RENDER = says(Cause.CANNOT_RENDER, Phase.FAILED)


def under_way(phase: Phase = Phase.PROGRESSING, *, since_s: float = 60, left_s: float = 540) -> ApplicationStatus:
    """What status says of a release to LIVE: in this phase for so long, with so much time left."""
    return ApplicationStatus(
        name="shop",
        source=0,
        target=LIVE,
        phase=phase,
        since=rfc3339(NOW - timedelta(seconds=since_s)),
        deadline=rfc3339(NOW + timedelta(seconds=left_s)),
        last_healthy="1.0.0",
        fallback="1.0.0",
    )


def progress(
    assessment: Assessment,
    record: ApplicationStatus | None,
    *,
    live: str = LIVE,
    moved_at: datetime | None = None,
    vanished: bool = False,
    runs: str | None = "",
    now: datetime = NOW,
) -> Progress:
    return follow(
        assessment,
        live=live,
        record=record,
        moved_at=moved_at,
        limits=LIMITS,
        now=now,
        vanished=vanished,
        runs=live if runs == "" else runs,
    )


def test_a_move_begins_a_release_with_a_deadline() -> None:
    found = progress(says(Cause.NOT_OBSERVED, Phase.WAITING), None, moved_at=NOW)

    assert (found.deadline, found.failure, found.settled) == (NOW + LIMITS.timeout, None, False)


def test_what_was_never_moved_and_is_healthy_counts_as_healthy_at_once() -> None:
    found = progress(HEALTHY, None)

    assert (found.last_healthy, found.deadline, found.settled) == (LIVE, None, True)


def test_a_release_is_healthy_only_after_it_was_for_a_while() -> None:
    fresh = progress(HEALTHY, under_way())
    assert (fresh.last_healthy, fresh.settled, fresh.recheck_at) == ("1.0.0", False, NOW + SETTLE)

    settled = progress(HEALTHY, under_way(Phase.HEALTHY, since_s=SETTLE.total_seconds()))
    assert (settled.last_healthy, settled.settled, settled.deadline) == (LIVE, True, None)


@pytest.mark.parametrize(
    ("assessment", "record", "reason"),
    [
        pytest.param(SYNC_FAILED, under_way(), "SyncFailed", id="a sync that failed for good, at once"),
        pytest.param(DEGRADED, under_way(Phase.DEGRADED, since_s=120), "Degraded", id="degraded for long enough"),
        pytest.param(PROGRESSING, under_way(left_s=0), "TimedOut", id="not healthy in time"),
        pytest.param(says(Cause.MISSING, Phase.PROGRESSING), under_way(left_s=-1), "TimedOut", id="nothing there"),
        pytest.param(says(Cause.RETRYING, Phase.SYNCING), under_way(left_s=-1), "SyncFailed", id="retries without end"),
        pytest.param(says(Cause.SYNCING, Phase.SYNCING), under_way(left_s=-1), "TimedOut", id="a hook that hangs"),
        pytest.param(CANNOT_RENDER, under_way(Phase.FAILED, left_s=-1), "CannotRender", id="no chart to render"),
        pytest.param(
            DEGRADED, under_way(Phase.DEGRADED, since_s=5, left_s=0), "Degraded", id="degraded when time is up"
        ),
    ],
)
def test_a_release_fails(assessment: Assessment, record: ApplicationStatus, reason: str) -> None:
    failure = progress(assessment, record).failure

    assert failure is not None
    assert failure.reason == reason
    assert "Argo CD's words" in failure.message


@pytest.mark.parametrize(
    ("assessment", "record"),
    [
        pytest.param(DEGRADED, under_way(Phase.DEGRADED, since_s=119), id="degraded, but not for long enough"),
        pytest.param(DEGRADED, under_way(Phase.PROGRESSING, since_s=900), id="degraded only just now"),
        pytest.param(PROGRESSING, under_way(left_s=1), id="there is time left"),
        pytest.param(SUSPENDED, under_way(Phase.SUSPENDED, left_s=-3600), id="a canary that is paused"),
        pytest.param(says(Cause.HEALTH_UNKNOWN, Phase.WAITING), under_way(left_s=-1), id="health that is unknown"),
        pytest.param(says(Cause.NOT_OBSERVED, Phase.WAITING), under_way(left_s=-1), id="a controller that is down"),
        pytest.param(says(Cause.MANUAL_SYNC, Phase.OUT_OF_SYNC), under_way(left_s=-1), id="nobody has synced it yet"),
        pytest.param(says(Cause.AUTO_SYNC_HELD, Phase.OUT_OF_SYNC), under_way(left_s=-1), id="a sync window"),
        pytest.param(says(Cause.OTHER_OPERATION, Phase.WAITING), under_way(left_s=-1), id="another operation"),
        pytest.param(says(Cause.NOT_PERMITTED, Phase.FAILED), under_way(left_s=-1), id="an AppProject says no"),
        pytest.param(says(Cause.DRIFT, Phase.OUT_OF_SYNC), under_way(left_s=-1), id="something else has changed it"),
        pytest.param(CANNOT_RENDER, under_way(Phase.FAILED), id="a registry that may only be away"),
    ],
)
def test_a_release_does_not_fail(assessment: Assessment, record: ApplicationStatus) -> None:
    assert progress(assessment, record).failure is None


def test_a_tag_that_vanished_is_not_waited_for() -> None:
    failure = progress(CANNOT_RENDER, under_way(), vanished=True).failure

    assert failure is not None
    assert failure.reason == "Vanished"


@pytest.mark.parametrize(
    ("record", "refresh"),
    [
        pytest.param(under_way(Phase.FAILED, left_s=299), True, id="half of the time is over"),
        pytest.param(under_way(Phase.FAILED, left_s=301), False, id="it may come right by itself"),
        pytest.param(replace(under_way(Phase.FAILED, left_s=200), refreshed_at=SOON), False, id="it was asked before"),
        pytest.param(under_way(Phase.FAILED, left_s=0), False, id="it is too late"),
    ],
)
def test_argo_cd_is_asked_once_to_render_anew(*, record: ApplicationStatus, refresh: bool) -> None:
    found = progress(CANNOT_RENDER, record)

    assert found.refresh is refresh
    if not refresh and found.failure is None and record.refreshed_at is None:
        assert found.recheck_at == NOW + timedelta(seconds=1)


def test_what_was_healthy_before_does_not_fail_any_more() -> None:
    settled = replace(under_way(Phase.DEGRADED, since_s=9999), deadline=None, last_healthy=LIVE)

    found = progress(DEGRADED, settled)

    assert (found.failure, found.recheck_at, found.last_healthy) == (None, None, LIVE)


@pytest.mark.parametrize(
    ("runs", "last"),
    [
        pytest.param("1.0.1", "1.0.1", id="Argo CD tells what"),
        pytest.param(None, "1.0.0", id="and if it does not, what is known from before"),
    ],
)
def test_of_a_range_that_is_healthy_what_it_runs_is_the_way_back(runs: str | None, last: str) -> None:
    assert progress(HEALTHY, ranged(last="1.0.0"), live="~1.0", runs=runs).last_healthy == last


def test_what_somebody_else_has_set_is_no_release_of_ours() -> None:
    assert progress(DEGRADED, under_way(Phase.DEGRADED, since_s=9999), live="1.0.7").failure is None


def test_since_when_somebody_elses_is_healthy_does_not_tick() -> None:
    healed = replace(under_way(Phase.HEALTHY), current="1.0.7", since="2026-11-24T09:00:00Z", deadline=None)

    found = progress(HEALTHY, healed, live="1.0.7")

    assert rfc3339(found.since) == "2026-11-24T09:00:00Z"


@pytest.mark.parametrize("pause", [Phase.SUSPENDED, Phase.WAITING, Phase.OUT_OF_SYNC, "Queued", "Held", Phase.FAILED])
def test_the_clock_stands_still_while_it_waits_for_something_else(pause: str) -> None:
    record = replace(under_way(left_s=60), phase=pause, since=rfc3339(NOW - timedelta(hours=3)))

    found = progress(PROGRESSING, record)

    assert found.deadline == NOW + timedelta(seconds=60) + timedelta(hours=3)
    assert found.failure is None


def test_it_stands_still_from_one_wait_to_the_next() -> None:
    waiting = says(Cause.NOT_OBSERVED, Phase.WAITING)

    found = progress(waiting, under_way(Phase.SUSPENDED, since_s=3600, left_s=60))

    assert found.deadline == NOW + timedelta(seconds=60 + 3600)


def test_what_fails_to_render_now_and_then_has_its_time_but_once() -> None:
    waiting = says(Cause.NOT_OBSERVED, Phase.WAITING)

    found = progress(waiting, under_way(Phase.FAILED, since_s=300, left_s=60))

    assert found.deadline == NOW + timedelta(seconds=60)


def test_the_clock_runs_on_from_one_kind_of_work_to_the_next() -> None:
    found = progress(DEGRADED, under_way(Phase.SYNCING, since_s=100, left_s=60))

    assert found.deadline == NOW + timedelta(seconds=60)
    assert found.recheck_at == NOW + timedelta(seconds=60)


def test_it_is_looked_at_again_when_degraded_has_lasted() -> None:
    found = progress(DEGRADED, under_way(Phase.DEGRADED, since_s=30))

    assert found.recheck_at == NOW + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("seconds", "text"), [(600, "10m"), (120, "2m"), (5400, "1h30m"), (45, "45s"), (3600, "1h"), (0, "0s")]
)
def test_a_span_is_said_as_the_spec_says_it(seconds: int, text: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == text
