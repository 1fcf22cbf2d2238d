"""What a pass comes to, as one state: the first thing that is true of it and worth a person's eye.

Pure, and in one order: what stops everything, what a person has to do, what has failed, what is under way, what has
to wait; then all is well.
"""

from collections.abc import Sequence
from dataclasses import replace

from bundlewatch.api.annotations import RETRY, command
from bundlewatch.api.conditions import Reason, State
from bundlewatch.api.moments import shown
from bundlewatch.api.status import in_short
from bundlewatch.api.v1alpha1 import ApplicationStatus, BundleWatch, HistoryEntry, Quarantined
from bundlewatch.argocd.assessment import Phase
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.engine.found import Outcome, Seen
from bundlewatch.errors import BundleWatchError
from bundlewatch.rollout.phases import BLOCKED, HELD, ILL, QUEUED, REVERTED
from bundlewatch.rollout.progress import SETTLE
from bundlewatch.rollout.take_back import is_judged

_NOT_YET = frozenset({Phase.WAITING, Phase.SYNCING, Phase.PROGRESSING, Phase.SUSPENDED, Phase.OUT_OF_SYNC})


def state_of(
    watch: BundleWatch,
    outcome: Outcome,
    applications: Sequence[ApplicationStatus],
    history: Sequence[HistoryEntry],
) -> State:
    """What it all comes to: the first of these that is true."""
    unhealed = _unhealed(watch, outcome, applications)
    if unhealed is not None:
        return unhealed
    if outcome.problem is not None:
        return _with_what_runs(State.of_error(outcome.problem), applications)
    left_alone = _left_alone(applications, HELD, REVERTED, BLOCKED)
    taken_back = _taken_back(watch, outcome, applications)
    if (why_none := outcome.why_none) is not None and outcome.waiting is None:
        nothing = _with_what_runs(State.retrying(why_none, reason=Reason.NO_CANDIDATE), applications)
        return left_alone or taken_back or nothing  # these are more telling, and may be why
    wrong = next((unmet for unmet in outcome.unmet if not unmet.waits), None)
    if wrong is not None:
        return State.stalled(wrong.message, reason=wrong.reason)
    for seen in outcome.seen:
        if seen.problem is not None:
            return _not_written(seen, seen.problem)
    if (told := left_alone or taken_back) is not None:
        return told
    if outcome.unmet:
        return State.retrying(outcome.unmet[0].message, reason=outcome.unmet[0].reason)
    if not applications:
        return State.retrying(
            f"no Application in namespace {watch.namespace} carries the labels of spec.applications and deploys "
            f"from {watch.spec.repository}; correct the labels, or the sources of those that carry them",
            reason=Reason.NO_APPLICATION,
        )
    return _rollout(watch, outcome, applications, history)


def _unhealed(watch: BundleWatch, outcome: Outcome, applications: Sequence[ApplicationStatus]) -> State | None:
    """A release that failed and still stands somewhere: because that was only just found, or it has to stay."""
    if watch.spec.pin is not None:
        return None
    if outcome.failures:
        entry = outcome.failures[0]
        return State.stalled(f"{_why(entry)}; {_again(watch, entry)}", reason=Reason.RELEASE_FAILED)
    for entry in outcome.quarantine.entries:
        ill = [found for found in applications if found.deadline and tag_of(found.target or "") == entry.tag]
        if not ill:
            continue
        backs = [tag_of(found.fallback) for found in ill if found.fallback]
        because = ""
        if not backs:
            because = "; nothing is known that was healthy there before"
        elif all(outcome.quarantine.has(back) for back in backs):
            because = f"; {backs[0]}, which was healthy there before, has failed since"
        stays = f"it stays on {in_short([found.name for found in ill])}{because}"
        sound = next((back for back in backs if not outcome.quarantine.has(back)), "a tag that you trust")
        cure = f"to go back, set spec.pin to {sound}; else {_again(watch, entry)}"
        return State.stalled(f"{_why(entry)}; {stays}; {cure}", reason=Reason.RELEASE_FAILED)
    return None


def _taken_back(watch: BundleWatch, outcome: Outcome, applications: Sequence[ApplicationStatus]) -> State | None:
    """A release that failed, stands nowhere any more, and would be tried again if it had not."""
    if watch.spec.pin is not None or outcome.failed is None or not applications:
        return None
    verdict, entry = outcome.failed
    same = f"{verdict.tag} is the same bundle as {entry.tag}; " if verdict.tag != entry.tag else ""
    others = [found for found in applications if tag_of(found.target or "") != entry.tag]
    if not others:  # it has healed where it was; what somebody else has set elsewhere is not moved to it
        stays = in_short([found.name for found in applications if tag_of(found.current or "") == entry.tag])
        message = f"{same}{_why(entry)}{f'; it stays on {stays}' if stays else ''}; {_again(watch, entry)}"
        return State.stalled(message, reason=Reason.RELEASE_FAILED)
    went_back = [found for found in others if tag_of(found.previous or "") == entry.tag]
    back = ", ".join(_set_to(found) for found in (went_back or others)[:3])
    kept = [found.name for found in applications if tag_of(found.target or "") == entry.tag]
    keeps = f"; {in_short(kept)} keeps it, and was healthy with it" if kept else ""
    message = f"{same}{_why(entry)}; it was taken back; {back}{keeps}; {_again(watch, entry)}"
    return State.stalled(message, reason=Reason.ROLLED_BACK)


def _why(entry: Quarantined) -> str:
    return f"{entry.tag} failed ({entry.reason}): {entry.message or 'no more is known'}"


def _again(watch: BundleWatch, entry: Quarantined) -> str:
    retry = command(watch.name, watch.namespace, RETRY, f'"{entry.tag} $(date)"')
    return f"publish something newer, or have it tried again: {retry}"


def _set_to(entry: ApplicationStatus) -> str:
    ill = f", {entry.phase}" if entry.phase in ILL else ""
    return f"{entry.name} is set to {entry.target or entry.current or 'nothing'}{ill}"


def _left_alone(applications: Sequence[ApplicationStatus], *phases: str) -> State | None:
    for entry in applications:
        if entry.phase in phases:
            return State.stalled(f"{entry.name}: {entry.message}", reason=entry.phase)
    return None


def _not_written(seen: Seen, problem: BundleWatchError) -> State:
    target = seen.step.target
    origin = f" from {target.source.target_revision}" if target.source.target_revision else ""
    message = f"{target.application.name} could not be moved{origin} to {seen.step.desired}: {problem.message}"
    return State.retrying(message, reason=problem.reason)


def _rollout(
    watch: BundleWatch,
    outcome: Outcome,
    applications: Sequence[ApplicationStatus],
    history: Sequence[HistoryEntry],
) -> State:
    due = {
        seen.step.target.key: seen.progress.recheck_at
        for seen in outcome.seen
        if seen.progress.deadline is not None and is_judged(watch.spec, seen.step.target.application)
    }
    for entry in applications:
        if entry.phase in ILL:
            detail = f": {entry.message}" if entry.message else ""
            message = f"{entry.name} is {entry.phase} with {entry.target}{detail}"
            until = due.get((entry.name, entry.source)) if isinstance(entry.source, int) else None
            if until is not None:
                return State.progressing(f"{message}; the release fails at {shown(until)} if this lasts")
            back = f"; to go back, set spec.pin to {tag_of(entry.previous)}" if entry.previous else ""
            return State.unready(f"{message}{back}", reason=str(entry.phase))
    moving = [entry for entry in applications if entry.phase in _NOT_YET]
    if moving:
        first = moving[0]
        others = f" (and {len(moving) - 1} other Applications)" if len(moving) > 1 else ""
        origin = f" from {first.current}" if first.current else ""
        detail = f": {first.message}" if first.message else ""
        way = f"runs {first.target}" if first.current == first.target else f"moves{origin} to {first.target}"
        return State.progressing(f"{first.name} {way}{others}, {first.phase}{detail}")
    fresh = next(
        (seen for seen in outcome.seen if seen.progress.deadline and seen.progress.phase == Phase.HEALTHY), None
    )
    if fresh is not None:
        since = shown(fresh.progress.since + SETTLE)
        name = fresh.step.target.application.name
        live = fresh.step.target.source.target_revision
        return State.progressing(f"{name} is healthy with {live}; that counts if it still is at {since}")
    runs = _what_runs(applications, healthy=all(seen.progress.settled for seen in outcome.seen))
    queued = next((entry for entry in applications if entry.phase == QUEUED), None)
    if queued is not None:
        closed = outcome.gatekeeper.closure if outcome.gatekeeper is not None else None
        if closed is None:
            return State.progressing(f"{queued.name}: {queued.message}; {runs}")
        return State.settled(f"{queued.message}; {runs}", reason=closed.reason)
    if outcome.waiting is not None:
        _, ruling = outcome.waiting
        return State.settled(f"{ruling.message}; {runs}", reason=ruling.reason)
    pinned = f"; spec.pin keeps it at {watch.spec.pin}" if watch.spec.pin is not None else ""
    return State.settled(f"{runs}{pinned}{_pushed_anew(outcome, history)}")


def _pushed_anew(outcome: Outcome, history: Sequence[HistoryEntry]) -> str:
    """What runs under its tag is another bundle than the one that has it now; "": it is not."""
    chosen = outcome.chosen
    if chosen is None or outcome.by_digest:
        return ""
    tag = chosen.candidate.tag
    moved = next((entry.digest for entry in history if entry.tag == tag), None)
    if moved in {None, chosen.digest}:
        return ""
    return f"; {tag} was pushed anew since, which deploys nothing: publish another version"


def _what_runs(applications: Sequence[ApplicationStatus], *, healthy: bool) -> str:
    shown_as = [(entry.name, entry.target or entry.current or "nothing") for entry in applications]
    if len({revision for _, revision in shown_as}) == 1:
        names = in_short([name for name, _ in shown_as])
        return f"{names} runs {shown_as[0][1]}{', Synced and Healthy' if healthy else ''}"
    return "runs " + ", ".join(f"{name} {revision}" for name, revision in shown_as[:10])


def _with_what_runs(state: State, applications: Sequence[ApplicationStatus]) -> State:
    running = sorted({f"{entry.name} stays at {entry.current}" for entry in applications if entry.current})
    if not running:
        return state
    more = f" (and {len(running) - 3} more)" if len(running) > 3 else ""
    return replace(state, message=f"{state.message}; {', '.join(running[:3])}{more}")
