"""`status.history`: the moves, newest first, and since when and until when everything was healthy with each."""

from collections.abc import Sequence
from datetime import datetime

from bundlewatch.api.moments import moment
from bundlewatch.api.status import HISTORY_MAX, in_short
from bundlewatch.api.v1alpha1 import ApplicationStatus, Bundle, HistoryEntry
from bundlewatch.argocd.assessment import Phase
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.engine.found import Outcome, Seen
from bundlewatch.engine.memory import Memory
from bundlewatch.rollout.chain import health_of_release
from bundlewatch.rollout.plan import Action


def history_of(
    outcome: Outcome,
    memory: Memory,
    candidate: Bundle | None,
    applications: Sequence[ApplicationStatus],
    *,
    now: str,
) -> tuple[HistoryEntry, ...]:
    """The history after a pass."""
    history = memory.history
    for back in (True, False):
        moves: dict[str, list[Seen]] = {}  # by tag: what nothing told of may have been moved one by one
        for seen in outcome.seen:
            if seen.moved_from is not None and back == (seen.step.action is Action.TAKE_BACK):
                moves.setdefault(tag_of(seen.step.desired), []).append(seen)
        for together in moves.values():
            history = _with_moves(history, together, memory, candidate, now=now)
    return _with_health(history, outcome, applications, now=now)[:HISTORY_MAX]


def _with_health(
    history: tuple[HistoryEntry, ...], outcome: Outcome, applications: Sequence[ApplicationStatus], *, now: str
) -> tuple[HistoryEntry, ...]:
    """Since when everything runs the newest release and is healthy: what others, who come after it, wait for."""
    when = moment(now)
    assert when is not None
    settled, tags = outcome.is_settled(len(applications)), outcome.tags
    tag = next(iter(tags)) if len(tags) == 1 else None
    chosen = outcome.chosen.bundle if outcome.chosen is not None and outcome.chosen.candidate.tag == tag else None
    if settled and chosen is not None and (not history or history[0].tag != tag):
        ran = HistoryEntry(
            tag=chosen.tag, digest=chosen.digest, version=chosen.version, message="ran when looked at first"
        )
        history = (ran, *history)
    if not history or outcome.pending:
        return history
    if settled and tag == history[0].tag:
        return (health_of_release(history[0], all_healthy=True, now=when), *history[1:])
    return (health_of_release(history[0], all_healthy=False, now=_until(outcome, when)), *history[1:])


def _until(outcome: Outcome, now: datetime) -> datetime:
    """Until when all were healthy: not until now, if it ended while nobody looked."""
    ill = [seen.step.target.application for seen in outcome.seen if seen.assessment.phase is not Phase.HEALTHY]
    return min([now, *(found.health_since for found in ill if found.health_since is not None)])


def _with_moves(
    history: tuple[HistoryEntry, ...],
    moves: Sequence[Seen],
    memory: Memory,
    candidate: Bundle | None,
    *,
    now: str,
) -> tuple[HistoryEntry, ...]:
    tag = tag_of(moves[0].step.desired)
    chosen = candidate if candidate is not None and candidate.tag == tag else None
    known = memory.bundle_of(moves[0].step.target)
    # What nothing told of was moved when the tag may have been another bundle than the one that is chosen by now.
    bundle = chosen or known if moves[0].done_at is not None else known or chosen
    names = in_short(sorted({seen.step.target.application.name for seen in moves}))
    origins = ", ".join(sorted({seen.moved_from for seen in moves if seen.moved_from})[:3])
    back = moves[0].step.action is Action.TAKE_BACK
    if back:
        message = f"took {origins} back from {names}"
    else:
        message = f"moved {names}" + (f" from {origins}" if origins else "")
    entry = HistoryEntry(
        tag=tag,
        digest=bundle.digest if bundle is not None else None,
        version=bundle.version if bundle is not None else None,
        time=now,
        message=message,
    )
    newest = history[0] if history else None
    if newest is not None and (newest.tag, newest.digest) == (entry.tag, entry.digest):
        return history  # one release, more Applications: the entry says when it began
    when = moment(now)
    assert when is not None
    before = [health_of_release(past, all_healthy=False, now=when) for past in history[:1]]
    return (entry, *before, *history[1:])
