"""Of every recorded life of an Application it is said what a person would say: which releases failed, and no others.

The recordings are those of `tests/data/argocd-traces/`; each of their patches is taken for a release of ours. Time is
as recorded, but Degraded counts after four seconds, since nobody there waited for minutes.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.assessment import Phase
from bundlewatch.rollout.progress import Limits, Progress, follow
from kit.argocd_traces import names
from unit.argocd.test_traces import Moment, replay

LIMITS = Limits(timeout=timedelta(minutes=10), degraded_for=timedelta(seconds=4))
IMPATIENT = Limits(timeout=timedelta(minutes=1), degraded_for=timedelta(seconds=4))

FAILED = {
    "03-upgrade-degraded-then-rolled-back": [("Degraded", "1.0.2")],
    "07-sync-failed-retry-2": [("SyncFailed", "1.0.1")],
    "07b-sync-failed-retry-0": [("SyncFailed", "1.0.1")],
    "07c-sync-failed-default-retry": [("SyncFailed", "1.0.1")],
    "15-presync-hook-fails": [("SyncFailed", "1.0.1")],
}


def followed(name: str, limits: Limits) -> Iterator[tuple[Moment, str, Progress]]:
    """Each moment, what was set then, and how the release to it fares; status remembers from one to the next."""
    record: ApplicationStatus | None = None
    wish = None
    for moment in replay(name):
        live = moment.application.sources[moment.wish.index].target_revision or ""
        moved = wish is not None and moment.wish != wish
        wish = moment.wish
        progress = follow(
            moment.assessment,
            live=live,
            record=record,
            moved_at=moment.now if moved else None,
            limits=limits,
            now=moment.now,
        )
        record = ApplicationStatus(
            name="shop",
            source=0,
            target=live,
            phase=progress.phase,
            since=progress.since.isoformat(),
            deadline=progress.deadline.isoformat() if progress.deadline is not None else None,
            last_healthy=progress.last_healthy,
        )
        yield moment, live, progress


def failures(name: str, limits: Limits = LIMITS) -> list[tuple[str, str]]:
    found = [(step.failure.reason, live) for _, live, step in followed(name, limits) if step.failure is not None]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("name", names())
def test_what_failed_is_what_a_person_would_call_so(name: str) -> None:
    assert failures(name) == FAILED.get(name, [])


@pytest.mark.parametrize(
    ("name", "version"), [("05c-tag-appears-after-a-minute", "2.1.79438"), ("06-render-error", "1.0.1")]
)
def test_what_cannot_be_rendered_fails_when_its_time_is_up(name: str, version: str) -> None:
    assert failures(name, IMPATIENT) == [("CannotRender", version)]


@pytest.mark.parametrize("name", names())
def test_nothing_is_called_healthy_while_an_older_release_is_what_runs(name: str) -> None:
    for moment, live, progress in followed(name, LIMITS):
        if progress.phase == Phase.HEALTHY:
            assert moment.application.compared_to[moment.wish.index].target_revision == live
            assert moment.application.sync_status == "Synced"
