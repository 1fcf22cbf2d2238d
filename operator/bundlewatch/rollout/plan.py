"""What to do with each target now: move it, leave it, or leave it alone because somebody else decided.

Rules, in this order: what is already there is kept; a person's later decision is respected until they say
otherwise, by ending the hold or by a pin that asks for something else; what Argo CD could not deploy is not
written; nothing is moved below what runs there, nor where it cannot be told what runs, except by an explicit pin
or with `rollout.allowDowngrade`; the rest is moved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.running import asked_for, is_digest, is_range, running_revisions
from bundlewatch.argocd.spelling import Problem, preflight, tag_of, target_revision
from bundlewatch.policy.order import Reader, Reading
from bundlewatch.policy.selection import Running
from bundlewatch.policy.version import from_tag, parse_loose
from bundlewatch.rollout.holding import Contest, Hold, intrusion, lately, rolled_back
from bundlewatch.rollout.targets import Target

Records = Mapping[tuple[str, int], ApplicationStatus]
"""What status says of each target, by Application name and source index."""


class Action(StrEnum):
    """What happens to a target in this pass."""

    MOVE = "Move"
    TAKE_BACK = "TakeBack"
    SYNC = "Sync"
    """It is set as it should be; Argo CD is asked to sync it."""

    END = "End"
    """It is set as it should be; Argo CD is still busy with what was taken back, and that is ended."""

    REFRESH = "Refresh"
    """It is set as it should be; Argo CD is asked to render it anew."""

    KEEP = "Keep"
    QUEUE = "Queue"
    """It is moved later: another wave comes first, or no window is open."""

    HOLD = "Hold"
    REFUSE = "Refuse"


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen bundle, as far as a plan needs it."""

    tag: str
    reading: Reading | None
    chart_name: str
    legacy_layer: bool
    pinned: bool
    downgrade: bool = False
    """Whether it may replace something newer, or something of which that cannot be told."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with one target. `desired` is the target revision we want there, in its own spelling."""

    target: Target
    action: Action
    desired: str
    message: str = ""
    phase: str = ""
    """The phase that it is in by what is not done."""

    reverts: tuple[datetime, ...] = ()
    """When somebody has put back what we had set, the last ten minutes."""

    @property
    def writes(self) -> bool:
        return self.action in {Action.MOVE, Action.TAKE_BACK} or self.asks

    @property
    def asks(self) -> bool:
        """Whether it asks Argo CD for something, and sets nothing."""
        return self.action in {Action.SYNC, Action.END, Action.REFRESH}


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a BundleWatch, and of the moment, a plan needs."""

    watch: str
    """Its name, for the cures in messages."""

    read: Reader
    now: datetime
    released: bool = False
    """A person ended all holds."""

    override: bool = False
    """What somebody else sets is set again."""


def plan(choice: Choice, targets: Sequence[Target], *, records: Records, terms: Terms) -> tuple[Step, ...]:
    """One step for every target."""
    return tuple(
        _step(choice, target, record=None if terms.released else records.get(target.key), terms=terms)
        for target in targets
    )


def fits(choice: Choice, target: Target) -> Problem | None:
    """Why Argo CD could not deploy the bundle through this source; None: nothing speaks against it."""
    return preflight(
        target.source,
        tag=choice.tag,
        is_version=parse_loose(from_tag(choice.tag)) is not None,
        chart_name=choice.chart_name,
        legacy_layer=choice.legacy_layer,
    )


@dataclass(frozen=True, slots=True)
class Run:
    """What a target runs or was last asked to run. `reading` is None where it cannot be told how old that is."""

    tag: str
    reading: Reading | None


def running_of(targets: Sequence[Target], *, read: Reader, downgrade: bool) -> Running:
    """What the targets run. Its floor is the oldest of it that can be told; where a target runs nothing yet anything
    is new to it, and there is none. Where of no target it can be told what runs, nothing is a candidate. Neither
    matters where a `downgrade` is wanted.
    """
    running = [runs(target, read=read) for target in targets]
    known = [run.reading for run in running if run is not None and run.reading is not None]
    unread = [run.tag for run in running if run is not None and run.reading is None]
    bound = bool(targets) and None not in running and not downgrade
    return Running(
        tags=frozenset(run.tag for run in running if run is not None and run.reading is not None),
        floor=min(known) if known and bound else None,
        unread=unread[0] if bound and not known else None,
    )


def runs(target: Target, *, read: Reader) -> Run | None:
    """What a target runs; None: nothing yet."""
    # What was asked for decides alone: where that does not read, what ran before says nothing of it.
    texts = asked_for(target.source) or running_revisions(target.application, target.source)
    tags = [tag_of(text) for text in texts if not is_digest(text)]
    found = next((Run(tag, reading) for tag in tags if (reading := read(tag)) is not None), None)
    live = target.live
    if found is None and (texts or is_range(live)):
        return Run(live, None)
    return found


def blocked(target: Target, run: Run, *, newer: str) -> Step:
    """The step that leaves a target alone because it cannot be told how old what it runs is. `newer`: than what."""
    cure = "set targetRevision to a version once, or spec.pin to {0}, or spec.rollout.allowDowngrade to true"
    if is_range(run.tag):
        why = f"targetRevision {run.tag!r} is a range, and Argo CD does not tell which version it runs"
        cure = f"wait until Argo CD tells, or {cure}"
    else:
        why = f"targetRevision {run.tag!r} is no version that spec.tags reads"
    message = f"{why}, so it cannot be told whether {newer} is newer than what runs; {cure.format(newer)}"
    return Step(target, Action.REFUSE, target.live, message)


def held(target: Target, record: ApplicationStatus, *, terms: Terms) -> Step | None:
    """The step that leaves a target alone because somebody else has set it since, or has rolled it back in Argo CD;
    None: nobody has, or it is set again.
    """
    back = None if terms.override else rolled_back(target, record, watch=terms.watch)
    found = back or _intrusion(target, record, terms)
    return _hold(target, record, found) if isinstance(found, Hold) else None


def _intrusion(target: Target, record: ApplicationStatus, terms: Terms) -> Hold | Contest | None:
    return intrusion(target, record, watch=terms.watch, override=terms.override, read=terms.read, now=terms.now)


def _hold(target: Target, record: ApplicationStatus, hold: Hold) -> Step:
    return Step(target, Action.HOLD, record.target or "", hold.message, hold.phase)


def _step(choice: Choice, target: Target, *, record: ApplicationStatus | None, terms: Terms) -> Step:
    desired = target_revision(choice.tag, target.kind)
    live = target.live
    reverts, why = lately(record, now=terms.now), ""
    if record is not None and not terms.override and (desired == live or not choice.pinned):
        back = rolled_back(target, record, watch=terms.watch)
        if back is not None:
            return _hold(target, record, back)
    if live == desired:
        return Step(target, Action.KEEP, desired, reverts=reverts)
    # A pin that asks for something else than we had set is a later word than the one that made us hold.
    repinned = choice.pinned and record is not None and desired != record.target
    if record is not None and not repinned:
        # Before all else that stops a move: a step that wants what is live would make status forget the hold.
        match _intrusion(target, record, terms):
            case Hold() as hold:
                return _hold(target, record, hold)
            case Contest(reverts, why):
                pass
    found = _allowed(choice, target, desired, terms)
    return replace(found, reverts=reverts, message=found.message or why)


def _allowed(choice: Choice, target: Target, desired: str, terms: Terms) -> Step:
    live = target.live
    problem = fits(choice, target)
    if problem is not None:
        return Step(target, Action.REFUSE, live, problem.message)
    if choice.pinned or choice.downgrade:
        return Step(target, Action.MOVE, desired)
    run = runs(target, read=terms.read)
    if run is None:
        return Step(target, Action.MOVE, desired)
    if run.reading is None:
        return blocked(target, run, newer=choice.tag)
    if choice.reading is not None and choice.reading.is_older(run.reading):
        return Step(target, Action.KEEP, live, f"runs {run.reading}, which is newer than {choice.tag}")
    return Step(target, Action.MOVE, desired)
