"""Operations that a sync window of the AppProject holds. Argo CD calls them Running, and only a text of theirs would
tell; so the AppProject is asked, once one has run for longer than most do.
"""

from collections.abc import Iterable
from datetime import datetime

from bundlewatch.argocd.assessment import Cause
from bundlewatch.argocd.health import HELD_AFTER
from bundlewatch.engine.following import Standing
from bundlewatch.engine.neighbours import Neighbours

_RUNNING = frozenset({Cause.SYNCING, Cause.RETRYING})


async def what_is_shut(
    standings: Iterable[Standing], *, neighbours: Neighbours, now: datetime
) -> dict[tuple[str, int], str]:
    """By target, the window that lets its running operation no further; only of releases that are under way."""
    found: dict[tuple[str, int], str] = {}
    for standing in standings:
        application = standing.target.application
        operation = application.operation_state
        if standing.progress.deadline is None or standing.assessment.cause not in _RUNNING:
            continue
        if operation is None or operation.phase != "Running":
            continue
        young = operation.started_at is None or now < operation.started_at + HELD_AFTER
        if young and standing.progress.failure is None:
            continue
        sync = await neighbours.sync(application, now)
        if sync is not None and not (sync.may_auto if operation.automated else sync.may_manual):
            found[standing.target.key] = sync.message
    return found
