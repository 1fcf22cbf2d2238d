"""From what a pass found to what the object says: status, and the Events between two statuses.

One place, pure, so that every pass tells the same story in the same words, and a pass that found nothing new
gives an equal status, which is not written. Times in it are those of changes; nothing ticks.
"""

from collections.abc import Sequence
from dataclasses import replace

from bundlewatch.api import conditions as kstatus
from bundlewatch.api.conditions import Reason, State
from bundlewatch.api.moments import rfc3339
from bundlewatch.api.status import APPLICATIONS_MAX, VERDICTS_MAX, in_short
from bundlewatch.api.text import clean
from bundlewatch.api.v1alpha1 import (
    ApplicationStatus,
    Bundle,
    BundleWatch,
    Identity,
    Quarantined,
    Status,
    Verdict,
)
from bundlewatch.argocd.health import Phase
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.engine.conclusion import state_of
from bundlewatch.engine.found import Outcome, Seen
from bundlewatch.engine.history import history_of
from bundlewatch.engine.memory import Memory
from bundlewatch.errors import BundleWatchError
from bundlewatch.policy.order import Reading
from bundlewatch.policy.verdict import Verdict as PolicyVerdict
from bundlewatch.rollout.phases import BLOCKED, HELD, QUEUED
from bundlewatch.rollout.plan import Action
from bundlewatch.rollout.targets import NOT_FOUND, Unmet

_DEPLOYED = frozenset({Phase.HEALTHY, Phase.PROGRESSING, Phase.DEGRADED, Phase.SUSPENDED})

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
    candidate = _candidate(outcome, before)
    history = history_of(outcome, memory, candidate, applications, now=now)
    quarantine = _quarantine(outcome, applications)
    before = replace(before, applications=applications, quarantine=quarantine, history=history)
    went_back = any(seen.step.action is Action.TAKE_BACK and seen.moved_from is not None for seen in outcome.seen)
    if outcome.pending and not outcome.failures and not went_back:
        state = State.progressing(f"listing the tags of {watch.spec.repository}")
        if before.conditions and before.observed_generation == watch.generation:
            return _heard(watch, before)  # a restart: what was said still stands
        return _heard(watch, _told(watch, before, state, now=now))
    status = replace(
        before,
        target=in_short(sorted({entry.name for entry in applications})),
        current=_current(applications, candidate, before, outcome),
        candidate=candidate,
        verdicts=_verdicts(outcome, before),
    )
    status = _gates_told(status, outcome)
    return _heard(watch, _told(watch, status, state_of(watch, outcome, applications, history), now=now))


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
    """The holds were ended and the quarantine lifted as was asked, for every target there is."""
    return replace(
        status,
        last_handled_resume_at=watch.resume_requested or status.last_handled_resume_at,
        last_handled_retry_at=watch.retry_requested or status.last_handled_retry_at,
    )


def _quarantine(outcome: Outcome, applications: Sequence[ApplicationStatus]) -> tuple[Quarantined, ...]:
    """What goes nowhere any more. What is older than all that is healthy by now is kept from going by that alone, and
    what is healthy everywhere by now has healed.
    """
    tags = outcome.tags
    running = [outcome.read(tag) for tag in tags]
    if not outcome.is_settled(len(applications)) or None in running:
        return outcome.quarantine.entries
    oldest = min(reading for reading in running if reading is not None)
    read = {entry.tag: outcome.read(entry.tag) for entry in outcome.quarantine.entries}
    outlived = [tag for tag, reading in read.items() if reading is not None and reading.is_older(oldest)]
    healed = tags if len(tags) == 1 else ()
    return outcome.quarantine.outlived([*outlived, *healed]).entries


def _gates_told(status: Status, outcome: Outcome) -> Status:
    keeper = outcome.gatekeeper
    if keeper is None:
        return status
    due = keeper.next_transition
    return replace(
        status,
        first_seen=keeper.first_seen,
        approved=keeper.approved,
        next_transition=rfc3339(due) if due is not None else None,
    )


def _application(seen: Seen, memory: Memory, *, now: str) -> ApplicationStatus:
    step, target = seen.step, seen.step.target
    live = target.live
    record = memory.record(target)
    phase: str = seen.assessment.phase
    message = seen.assessment.message
    wanted = step.desired
    # Since when Argo CD says what it says of a release is what tells whether it has failed.
    under_way = seen.progress.deadline is not None
    if step.action is Action.HOLD:
        phase, message = step.phase or HELD, step.message
    elif step.action in {Action.REFUSE, Action.QUEUE}:
        wanted = memory.standing(target)
        if not under_way:
            phase, message = BLOCKED if step.action is Action.REFUSE else QUEUED, step.message
    elif seen.problem is not None:
        phase = phase if under_way else Phase.WAITING
        message, wanted = seen.problem.message, memory.standing(target)
    elif step.action is Action.KEEP and step.message:
        message = step.message
    deployed = live if seen.assessment.phase in _DEPLOYED else None
    known = record.current if record is not None else None
    current = deployed or known or seen.moved_from or live
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
        moved_at=_moved_at(seen, memory),
        deadline=_deadline(seen, record),
        last_healthy=seen.progress.last_healthy or None,
        fallback=seen.fallback or None,
        refreshed_at=_refreshed_at(seen, record),
        reverts=_reverts(seen, record),
    )
    if phase == seen.progress.phase:
        return replace(entry, since=rfc3339(seen.progress.since))
    return _since(entry, record, now=now)


def _reverts(seen: Seen, record: ApplicationStatus | None) -> tuple[str, ...]:
    told = tuple(rfc3339(found) for found in seen.step.reverts)
    if seen.step.action is Action.MOVE and seen.moved_from is not None:
        return told
    # What was not set again was put back no more often than before.
    known = record.reverts if record is not None else ()
    return tuple(found for found in known if found in told)


def _moved_at(seen: Seen, memory: Memory) -> str | None:
    moved = seen.step.action in {Action.MOVE, Action.TAKE_BACK}
    when = seen.done_at if moved and seen.done_at is not None else memory.set_at(seen.step.target)
    return rfc3339(when) if when is not None else None


def _refreshed_at(seen: Seen, record: ApplicationStatus | None) -> str | None:
    if seen.progress.deadline is None:
        return None
    if seen.step.action is Action.REFRESH and seen.done_at is not None:
        return rfc3339(seen.done_at)
    same = record is not None and record.target == seen.step.target.live
    return record.refreshed_at if same and record is not None else None


def _deadline(seen: Seen, record: ApplicationStatus | None) -> str | None:
    if seen.progress.deadline is None:
        return None
    if seen.step.action is Action.HOLD and record is not None and record.deadline is not None:
        return record.deadline  # it is put off when that is over; put off as it passes, it would tick
    return rfc3339(seen.progress.deadline)


def _unmet(unmet: Unmet, watch: BundleWatch, *, now: str) -> ApplicationStatus:
    record = next(
        (
            record
            for record in watch.status.applications
            if record.name == unmet.application and (unmet.source is None or record.source == unmet.source)
        ),
        None,
    )
    # What is gone runs nothing.
    known = record if record is not None and unmet.reason != NOT_FOUND else ApplicationStatus(name=unmet.application)
    entry = replace(known, source=unmet.source, phase=unmet.reason, message=unmet.message, refreshed_at=None)
    return _since(entry, record, now=now)


def _since(entry: ApplicationStatus, record: ApplicationStatus | None, *, now: str) -> ApplicationStatus:
    same = record is not None and (record.phase, record.target) == (entry.phase, entry.target)
    return replace(entry, since=record.since if same and record is not None and record.since else now)


def _candidate(outcome: Outcome, before: Status) -> Bundle | None:
    if outcome.chosen is not None:
        bundle, known = outcome.chosen.bundle, before.candidate
        if known is not None and (known.tag, known.digest) == (bundle.tag, bundle.digest):
            # Where it comes from is read once, when it begins to go out.
            return replace(bundle, commit=bundle.commit or known.commit, pipeline=bundle.pipeline or known.pipeline)
        return bundle
    if outcome.waiting is not None:
        return outcome.waiting[0].bundle  # nothing runs yet, and what comes first has to wait
    # With no complete answer the last choice stands; a complete answer without a choice takes it away.
    return before.candidate if outcome.problem is not None or outcome.selection is None else None


def _current(
    applications: Sequence[ApplicationStatus], candidate: Bundle | None, before: Status, outcome: Outcome
) -> Bundle | None:
    """The oldest bundle among those the Applications run: the one a person has to reckon with."""
    tags = {tag_of(entry.current) for entry in applications if entry.current}
    if not tags:
        return None
    tag = min(tags, key=lambda text: _age(text, outcome.read(text)))
    moved = next((entry for entry in before.history if entry.tag == tag), None)
    # Pushed anew since it was moved to, a tag is another bundle than the one that runs.
    digest = moved.digest if moved is not None and not outcome.by_digest else None
    for known in (candidate, before.current, before.candidate):
        if known is not None and known.tag == tag and digest in {None, known.digest}:
            return known
    if moved is not None:
        return Bundle(tag=tag, digest=moved.digest, version=moved.version)
    reading = outcome.read(tag)
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
