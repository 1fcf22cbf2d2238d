"""From what a pass found to what the object says: status, and the Events between two statuses.

One place, pure, so that every pass tells the same story in the same words, and a pass that found nothing new
gives an equal status, which is not written. Times in it are those of changes; nothing ticks.
"""

from collections.abc import Sequence
from dataclasses import replace

from bundlewatch.api import conditions as kstatus
from bundlewatch.api.conditions import Reason, State
from bundlewatch.api.status import APPLICATIONS_MAX, HISTORY_MAX, VERDICTS_MAX, in_short
from bundlewatch.api.text import clean
from bundlewatch.api.v1alpha1 import (
    ApplicationStatus,
    Bundle,
    BundleWatch,
    HistoryEntry,
    Identity,
    Status,
    Verdict,
)
from bundlewatch.argocd.health import Phase
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.engine.memory import Memory
from bundlewatch.engine.reconcile import Outcome, Seen
from bundlewatch.errors import BundleWatchError
from bundlewatch.policy.order import Reading
from bundlewatch.policy.verdict import Verdict as PolicyVerdict
from bundlewatch.rollout.plan import HELD, Action, Reader
from bundlewatch.rollout.targets import NOT_FOUND, Unmet

_NOT_YET = frozenset({Phase.WAITING, Phase.SYNCING, Phase.PROGRESSING, Phase.SUSPENDED, Phase.OUT_OF_SYNC})
_BAD = frozenset({Phase.DEGRADED, Phase.FAILED})
_DEPLOYED = frozenset({Phase.HEALTHY, Phase.PROGRESSING, Phase.DEGRADED, Phase.SUSPENDED})
BLOCKED = "Blocked"

SUMMARY_LENGTH = 160
"""Of `status.summary`, a column of `kubectl get`: one long one makes every row wide. Conditions have it all."""


def status_of(watch: BundleWatch, outcome: Outcome, *, now: str, looked: bool) -> Status:
    """The status after a pass; equal to the present one when nothing has changed.

    `now`: RFC 3339. `looked`: the listing it rests on is as new as was asked for, so the request is answered.
    """
    status = _status_of(watch, outcome, now=now)
    asked = watch.reconcile_requested if not outcome.suspended else None
    return replace(status, last_handled_reconcile_at=asked) if looked and asked is not None else status


def _status_of(watch: BundleWatch, outcome: Outcome, *, now: str) -> Status:
    before = watch.status
    if outcome.suspended:
        state = State.settled(
            "suspended: neither the registry nor any Application is touched; to go on, set spec.suspend to false",
            reason=Reason.SUSPENDED,
        )
        return _told(watch, before, state, now=now)
    memory = Memory.of(watch)
    followed = [_application(seen, memory, now=now) for seen in outcome.seen]
    room = APPLICATIONS_MAX - len(followed)  # what is followed has to be remembered
    unmet = [_unmet(unmet, watch, now=now) for unmet in outcome.unmet[:room]]
    applications = tuple(
        sorted(
            (*followed, *unmet),
            key=lambda entry: (entry.name, entry.source if isinstance(entry.source, int) else -1),
        )
    )
    if outcome.pending:
        state = State.progressing(f"listing the tags of {watch.spec.repository}")
        if before.conditions and before.observed_generation == watch.generation:
            return _heard(watch, replace(before, applications=applications))  # a restart: what was said still stands
        return _heard(watch, _told(watch, replace(before, applications=applications), state, now=now))
    candidate = _candidate(outcome, before)
    status = replace(
        before,
        target=in_short(sorted({entry.name for entry in applications})),
        current=_current(applications, candidate, before, read=outcome.read),
        candidate=candidate,
        applications=applications,
        verdicts=_verdicts(outcome, before),
        history=_history(outcome, watch, candidate, now=now),
    )
    return _heard(watch, _told(watch, status, _state(watch, outcome, applications), now=now))


def status_of_mistake(identity: Identity, error: BundleWatchError, *, now: str) -> Status:
    """The status of an object that cannot be read: why, and nothing of what was known is lost."""
    return _told(identity, identity.status, State.of_error(error), now=now)


def _told(identity: Identity, status: Status, state: State, *, now: str) -> Status:
    return replace(
        status,
        observed_generation=identity.generation,
        summary=_short(state.message),
        conditions=kstatus.conditions(identity.status.conditions, state=state, now=now, generation=identity.generation),
    )


def _short(message: str) -> str:
    """As much of it as a column of a table can bear, and whole clauses where that leaves enough."""
    if len(message) <= SUMMARY_LENGTH:
        return message
    end = message.rfind("; ", SUMMARY_LENGTH // 3, SUMMARY_LENGTH)
    return message[:end] if end > 0 else clean(message, max_length=SUMMARY_LENGTH)


def _heard(watch: BundleWatch, status: Status) -> Status:
    """The holds were ended as was asked, for every target there is."""
    return replace(status, last_handled_resume_at=watch.resume_requested or status.last_handled_resume_at)


def _application(seen: Seen, memory: Memory, *, now: str) -> ApplicationStatus:
    step, target = seen.step, seen.step.target
    live = target.source.target_revision or ""
    record = memory.record(target)
    phase: str = seen.assessment.phase
    message = seen.assessment.message
    wanted = step.desired
    if step.action is Action.HOLD:
        phase, message = HELD, step.message
    elif step.action is Action.REFUSE:
        phase, message, wanted = BLOCKED, step.message, memory.standing(target)
    elif seen.problem is not None:
        phase, message, wanted = Phase.WAITING, seen.problem.message, memory.standing(target)
    elif step.action is Action.KEEP and step.message:
        message = step.message
    deployed = live if seen.assessment.phase in _DEPLOYED else None
    known = record.current if record is not None else None
    current = deployed or known or (live if seen.moved_from is None else seen.moved_from)
    previous = record.previous if record is not None else None
    if seen.moved_from is not None and seen.moved_from != live:
        previous = seen.moved_from
    entry = ApplicationStatus(
        name=target.application.name,
        uid=target.application.uid or None,
        source=target.source.index,
        current=current,
        previous=previous or None,
        target=wanted or None,
        phase=phase,
        message=message or None,
    )
    return _since(entry, record, now=now)


def _unmet(unmet: Unmet, watch: BundleWatch, *, now: str) -> ApplicationStatus:
    record = next(
        (
            record
            for record in watch.status.applications
            if record.name == unmet.application and (unmet.source is None or record.source == unmet.source)
        ),
        None,
    )
    known = record if unmet.reason != NOT_FOUND else None  # what is gone runs nothing
    entry = ApplicationStatus(
        name=unmet.application,
        uid=known.uid if known is not None else None,
        source=unmet.source,
        current=known.current if known is not None else None,
        target=known.target if known is not None else None,
        previous=known.previous if known is not None else None,
        phase=unmet.reason,
        message=unmet.message,
    )
    return _since(entry, record, now=now)


def _since(entry: ApplicationStatus, record: ApplicationStatus | None, *, now: str) -> ApplicationStatus:
    same = record is not None and (record.phase, record.target) == (entry.phase, entry.target)
    return replace(entry, since=record.since if same and record is not None and record.since else now)


def _candidate(outcome: Outcome, before: Status) -> Bundle | None:
    if outcome.chosen is not None:
        chosen = outcome.chosen
        return Bundle(tag=chosen.candidate.tag, digest=chosen.digest, version=chosen.version, chart=chosen.chart)
    # With no complete answer the last choice stands; a complete answer without a choice takes it away.
    return before.candidate if outcome.problem is not None else None


def _current(
    applications: Sequence[ApplicationStatus], candidate: Bundle | None, before: Status, *, read: Reader
) -> Bundle | None:
    """The oldest bundle among those the Applications run: the one a person has to reckon with."""
    tags = {tag_of(entry.current) for entry in applications if entry.current}
    if not tags:
        return None
    tag = min(tags, key=lambda text: _age(text, read(text)))
    for known in (candidate, before.current, before.candidate):
        if known is not None and known.tag == tag:
            return known
    for entry in before.history:
        if entry.tag == tag:
            return Bundle(tag=tag, digest=entry.digest, version=entry.version)
    reading = read(tag)
    return Bundle(tag=tag, version=str(reading) if reading is not None else None)


def _age(tag: str, reading: Reading | None) -> tuple[bool, Reading | str, str]:
    """What does not read is older than what does: it is what a person has to look at."""
    return (False, tag, tag) if reading is None else (True, reading, tag)


def _verdicts(outcome: Outcome, before: Status) -> tuple[Verdict, ...]:
    if outcome.selection is None:
        return before.verdicts
    chosen = outcome.chosen.candidate if outcome.chosen is not None else None
    nearest = outcome.selection.nearest(VERDICTS_MAX, chosen=chosen, rejected=outcome.rejected)
    return tuple(_verdict(verdict) for verdict in nearest)


def _verdict(verdict: PolicyVerdict) -> Verdict:
    return Verdict(tag=verdict.tag, version=verdict.version, reason=str(verdict.reason), message=verdict.message)


def _history(outcome: Outcome, watch: BundleWatch, candidate: Bundle | None, *, now: str) -> tuple[HistoryEntry, ...]:
    """The moves, newest first."""
    moves = [seen for seen in outcome.seen if seen.moved_from is not None]
    if not moves or candidate is None:
        return watch.status.history
    names = sorted({seen.step.target.application.name for seen in moves})
    origins = sorted({seen.moved_from for seen in moves if seen.moved_from})
    entry = HistoryEntry(
        tag=candidate.tag,
        digest=candidate.digest,
        version=candidate.version,
        time=now,
        message=f"moved {', '.join(names)}" + (f" from {', '.join(origins)}" if origins else ""),
    )
    newest = watch.status.history[0] if watch.status.history else None
    if newest is not None and newest.tag == entry.tag and newest.digest == entry.digest:
        return watch.status.history  # one release, more Applications: the entry says when it began
    return (entry, *watch.status.history)[:HISTORY_MAX]


def _state(watch: BundleWatch, outcome: Outcome, applications: Sequence[ApplicationStatus]) -> State:
    """What it all comes to: the first of these that is true."""
    if outcome.problem is not None:
        return _with_what_runs(State.of_error(outcome.problem), applications)
    if (why_none := outcome.why_none) is not None:
        nothing = _with_what_runs(State.retrying(why_none, reason=Reason.NO_CANDIDATE), applications)
        return _left_alone(applications, HELD, BLOCKED) or nothing  # these are more telling, and may be why
    wrong = next((unmet for unmet in outcome.unmet if not unmet.waits), None)
    if wrong is not None:
        return State.stalled(wrong.message, reason=wrong.reason)
    for seen in outcome.seen:
        if seen.problem is not None:
            return _not_written(seen, seen.problem)
    left_alone = _left_alone(applications, HELD, BLOCKED)
    if left_alone is not None:
        return left_alone
    if outcome.unmet:
        return State.retrying(outcome.unmet[0].message, reason=outcome.unmet[0].reason)
    if not applications:
        return State.retrying(
            f"no Application in namespace {watch.namespace} carries the labels of spec.applications and deploys "
            f"from {watch.spec.repository}; correct the labels, or the sources of those that carry them",
            reason=Reason.NO_APPLICATION,
        )
    return _rollout(applications)


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


def _rollout(applications: Sequence[ApplicationStatus]) -> State:
    for entry in applications:
        if entry.phase in _BAD:
            detail = f": {entry.message}" if entry.message else ""
            back = f"; to go back, set spec.pin to {tag_of(entry.previous)}" if entry.previous else ""
            message = f"{entry.name} is {entry.phase} with {entry.target}{detail}{back}"
            return State.unready(message, reason=str(entry.phase))
    moving = [entry for entry in applications if entry.phase in _NOT_YET]
    if moving:
        first = moving[0]
        others = f" (and {len(moving) - 1} other Applications)" if len(moving) > 1 else ""
        origin = f" from {first.current}" if first.current else ""
        detail = f": {first.message}" if first.message else ""
        way = f"runs {first.target}" if first.current == first.target else f"moves{origin} to {first.target}"
        return State.progressing(f"{first.name} {way}{others}, {first.phase}{detail}")
    first = applications[0]
    same = len({entry.target for entry in applications}) == 1
    names = in_short([entry.name for entry in applications])
    runs = first.target if same else ", ".join(f"{entry.name} {entry.target}" for entry in applications[:10])
    return State.settled(f"{names} runs {runs}, Synced and Healthy" if same else f"runs {runs}")


def _with_what_runs(state: State, applications: Sequence[ApplicationStatus]) -> State:
    running = sorted({f"{entry.name} stays at {entry.current}" for entry in applications if entry.current})
    if not running:
        return state
    more = f" (and {len(running) - 3} more)" if len(running) > 3 else ""
    return replace(state, message=f"{state.message}; {', '.join(running[:3])}{more}")
