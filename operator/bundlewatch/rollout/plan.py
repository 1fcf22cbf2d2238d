"""What to do with each target now: move it, leave it, or leave it alone because somebody else decided.

Rules, in this order: what is already there is kept; a person's later decision is respected until they say
otherwise, by ending the hold or by a pin that asks for something else; what Argo CD could not deploy is not
written; nothing is moved below what runs there, nor where it cannot be told what runs, except by an explicit pin
or with `rollout.allowDowngrade`; the rest is moved.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bundlewatch.api.v1alpha1 import ApplicationStatus
from bundlewatch.argocd.ownership import maker_of, warning
from bundlewatch.argocd.patch import FIELD_MANAGER
from bundlewatch.argocd.running import asked_for, is_digest, is_range, running_revisions
from bundlewatch.argocd.spelling import Problem, preflight, tag_of, target_revision
from bundlewatch.policy.order import Reading
from bundlewatch.policy.selection import Running
from bundlewatch.policy.version import from_tag, parse_loose
from bundlewatch.rollout.targets import Target

HELD = "Held"
"""The phase of a target that somebody else has set after us; it is left alone until they say otherwise."""

Reader = Callable[[str], Reading | None]
"""How a tag reads under the BundleWatch's pattern and order; None: it does not."""

Records = Mapping[tuple[str, int], ApplicationStatus]
"""What status says of each target, by Application name and source index."""


class Action(StrEnum):
    """What happens to a target in this pass."""

    MOVE = "Move"
    KEEP = "Keep"
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


def plan(
    choice: Choice, targets: Sequence[Target], *, watch: str, records: Records, released: bool, read: Reader
) -> tuple[Step, ...]:
    """One step for every target. `watch` is the BundleWatch's name, for the cures in messages;
    `released`: a person ended all holds.
    """
    return tuple(
        _step(choice, target, watch=watch, record=None if released else records.get(target.key), read=read)
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
    live = target.source.target_revision or ""
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
    return Step(target, Action.REFUSE, target.source.target_revision or "", message)


def held(target: Target, record: ApplicationStatus, *, watch: str, read: Reader) -> Step | None:
    """The step that leaves a target alone because somebody else has set it since; None: nobody has."""
    writer = _overruled_by(target, record, read=read)
    if writer is None:
        return None
    wanted = record.target or ""
    return Step(target, Action.HOLD, wanted, _held(writer, target, wanted, watch))


def _step(choice: Choice, target: Target, *, watch: str, record: ApplicationStatus | None, read: Reader) -> Step:
    desired = target_revision(choice.tag, target.kind)
    live = target.source.target_revision or ""
    if live == desired:
        return Step(target, Action.KEEP, desired)
    # A pin that asks for something else than we had set is a later word than the one that made us hold.
    repinned = choice.pinned and record is not None and desired != record.target
    if record is not None and not repinned and (hold := held(target, record, watch=watch, read=read)) is not None:
        # Before all else that stops a move: a step that wants what is live would make status forget the hold.
        return hold
    problem = fits(choice, target)
    if problem is not None:
        return Step(target, Action.REFUSE, live, problem.message)
    if choice.pinned or choice.downgrade:
        return Step(target, Action.MOVE, desired)
    run = runs(target, read=read)
    if run is None:
        return Step(target, Action.MOVE, desired)
    if run.reading is None:
        return blocked(target, run, newer=choice.tag)
    if choice.reading is not None and choice.reading.is_older(run.reading):
        return Step(target, Action.KEEP, live, f"runs {run.reading}, which is newer than {choice.tag}")
    return Step(target, Action.MOVE, desired)


def _overruled_by(target: Target, record: ApplicationStatus, *, read: Reader) -> str | None:
    """Who set the target to something else after we had set it, "" where nobody can be named; None: nobody did.

    Something else that is ours is a move that no status tells of. Of a list of sources the API server remembers
    only who wrote the list last, so there our own name proves nothing: what was held stays so, and what is older
    than what we had set was not set by us.
    """
    live = target.source.target_revision or ""
    if not record.target or live == record.target:
        return None
    manager = target.application.target_revision_managers.get(target.source.index)
    if manager is None or manager.name != FIELD_MANAGER:
        return manager.name if manager is not None else ""
    if record.phase == HELD:
        return ""
    if target.application.multi_source:
        now, before = read(tag_of(live)), read(tag_of(record.target))
        return "" if now is None or before is None or now.is_older(before) else None
    return None


def _held(manager: str, target: Target, wanted: str, watch: str) -> str:
    live = target.source.target_revision or "nothing"
    held = (
        f"{manager or 'somebody'} set targetRevision to {live} after BundleWatch had set {wanted}, so it is left alone"
    )
    maker = maker_of(target.application)
    cause = f"; {warning(target.application, target.source, maker=maker)}" if maker is not None else ""
    resume = (
        f"kubectl annotate bundlewatch {watch} -n {target.application.namespace} --overwrite "
        'bundlewatch.dev/resume="$(date)"'
    )
    return f"{held}{cause}; to go on: {resume}"
