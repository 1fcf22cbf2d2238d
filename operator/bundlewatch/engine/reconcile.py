"""One pass over one BundleWatch, from tags to what Argo CD should deploy. Level-triggered: it asks what is, not
what happened, so that a pass that was lost is made up by the next.

Every decision is a pure call; every failure ends in the outcome, which one place turns into status and Events.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.application import Application
from bundlewatch.argocd.health import Assessment, assess
from bundlewatch.argocd.patch import FIELD_MANAGER, target_revision_patch
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.cluster.client import Forbidden
from bundlewatch.engine.choosing import Chosen, Findings, choose
from bundlewatch.engine.listing import Listing
from bundlewatch.engine.memory import Memory
from bundlewatch.engine.policies import Judge
from bundlewatch.engine.route import Route
from bundlewatch.errors import BundleWatchError, ObjectChanged, ObjectGone, Refused
from bundlewatch.policy.order import Reading
from bundlewatch.rollout.plan import Action, Choice, Reader, Step, blocked, held, plan, running_of, runs
from bundlewatch.rollout.targets import Target, Unmet, find_targets

_ATTEMPTS = 4  # how often a write is decided anew after somebody else was faster


class Applications(Protocol):
    """The Applications of the cluster, and the one way to change them."""

    def named(self, namespace: str) -> Mapping[str, Application]: ...

    def rivals(self, watch: BundleWatch, application: Application) -> Iterable[BundleWatch]: ...

    def stands(self, watch: BundleWatch) -> bool: ...

    async def patch(self, application: Application, operations: Sequence[Mapping[str, Any]]) -> Application: ...

    async def reread(self, application: Application) -> Application | None: ...


class Bundles(Protocol):
    """What the registry holds, as complete answers or errors."""

    def latest(self, route: Route) -> Listing | None: ...

    async def inspect(self, route: Route, tag: str) -> Inspected: ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything a pass may touch."""

    applications: Applications
    bundles: Bundles


@dataclass(frozen=True, slots=True)
class Seen:
    """A target after the pass: what was done, and how Argo CD fares with it."""

    step: Step
    assessment: Assessment
    moved_from: str | None = None
    """Its target revision before we moved it, now or in a pass that could not tell of it; None: we did not."""

    problem: BundleWatchError | None = None
    """Why the write that was wanted did not happen."""


@dataclass(slots=True)
class Outcome(Findings):
    """What a pass found and did. `problem` is why it ended early; what was found before it still stands."""

    policy: Judge | None = None
    suspended: bool = False
    unread: bool = False
    """The spec says something impossible: nothing was looked at."""

    pending: bool = False
    """There is no listing yet: nothing is known and nothing is said."""

    problem: BundleWatchError | None = None
    seen: tuple[Seen, ...] = ()
    unmet: tuple[Unmet, ...] = ()
    again: bool = False
    """Something that should have happened did not, and may if it is tried again."""

    @property
    def recheck_at(self) -> datetime | None:
        """When time alone may change what an Application is said to be; None: only an Application can."""
        return min((at for seen in self.seen if (at := seen.assessment.recheck_at) is not None), default=None)

    def read(self, tag: str) -> Reading | None:
        """How a tag reads in the order of the spec; None: it does not, or there is no such order."""
        return self.policy.read(tag) if self.policy is not None else None


async def reconcile(
    watch: BundleWatch,
    *,
    policy: Judge,
    route: Route | None,
    trouble: BundleWatchError | None,
    world: World,
    now: datetime,
) -> Outcome:
    """One pass. `trouble`: why the last listing failed; then nothing is moved, and what runs is only observed."""
    if watch.spec.suspend:
        return Outcome(suspended=True)
    outcome = Outcome(policy=policy, problem=trouble)
    memory = Memory.of(watch)
    targets, outcome.unmet = _targets(watch, world)
    listing = world.bundles.latest(route) if route is not None else None
    if trouble is not None or listing is None or route is None:
        outcome.pending = trouble is None
        outcome.seen = _observed(targets, watch, memory=memory, read=policy.read, now=now)
        return outcome
    try:
        running = running_of(targets, read=policy.read, downgrade=watch.spec.rollout.allow_downgrade)
        outcome.selection = policy.select(listing.tags, running=running)
        choice = await choose(outcome, targets, spec=watch.spec, look=partial(world.bundles.inspect, route))
        if choice is None:
            unread = running.unread is not None
            outcome.seen = _observed(targets, watch, memory=memory, read=policy.read, now=now, unread=unread)
            return outcome
    except ObjectGone:
        raise  # the watch has left its repository meanwhile: whatever this pass found is of no use
    except BundleWatchError as error:
        outcome.problem, outcome.again = error, error.retry
        outcome.seen = _observed(targets, watch, memory=memory, read=policy.read, now=now)
        return outcome
    steps = await _carry_out(choice, targets, watch=watch, memory=memory, world=world, read=policy.read)
    moved = running_of([done.step.target for done in steps], read=policy.read, downgrade=False)
    outcome.selection = outcome.selection.after(moved.tags)  # else the next pass would have to tell it anew
    if len(steps) < len(targets):
        _, outcome.unmet = _targets(watch, world)
    outcome.seen = tuple(_assessed(step, outcome.chosen, memory=memory, now=now) for step in steps)
    outcome.again = any(seen.problem is not None for seen in outcome.seen)
    return outcome


def _targets(watch: BundleWatch, world: World) -> tuple[tuple[Target, ...], tuple[Unmet, ...]]:
    return find_targets(
        watch,
        applications=world.applications.named(watch.namespace),
        rivals=lambda application: world.applications.rivals(watch, application),
    )


@dataclass(frozen=True, slots=True)
class _Done:
    step: Step
    moved_from: str | None = None
    problem: BundleWatchError | None = None


async def _carry_out(
    choice: Choice, targets: Sequence[Target], *, watch: BundleWatch, memory: Memory, world: World, read: Reader
) -> list[_Done]:
    """What became of each target; one that is not ours to move any more is left out.

    A write that fails takes nothing from those before it, and nothing from those after it unless the API server
    does not answer at all: then the others need not wait for its deadline one by one.
    """

    def decide(anew: Sequence[Target]) -> tuple[Step, ...]:
        records = memory.records(anew)
        return plan(choice, anew, watch=watch.name, records=records, released=memory.resumed, read=read)

    results: list[_Done] = []
    silence: BundleWatchError | None = None
    for step in decide(targets):
        if step.action is Action.MOVE and not world.applications.stands(watch):
            # Suspended, pinned or narrowed while a manifest was read: the pass that is due decides by that.
            raise ObjectGone(f"{watch} asks for something else by now")
        if silence is not None and step.action is Action.MOVE:
            results.append(_Done(step, problem=silence))
            continue
        try:
            done = await _write(step, watch=watch, world=world, decide=decide)
        except BundleWatchError as error:
            done = _Done(step, problem=error)
            silence = None if isinstance(error, Forbidden) else error
        if done is not None:
            results.append(done)
    return results


async def _write(
    step: Step, *, watch: BundleWatch, world: World, decide: Callable[[Sequence[Target]], tuple[Step, ...]]
) -> _Done | None:
    """Carry out one step; None: the target is not ours to move any more.

    Between our look and our write anything may have happened: the patch tests what the decision rested on, and
    when a test fails we look again and decide again.
    """
    refused: Refused | None = None
    for _ in range(_ATTEMPTS):
        if step.action is not Action.MOVE:
            return _Done(step)
        application, source = step.target.application, step.target.source
        try:
            written = await world.applications.patch(
                application, target_revision_patch(application, source, to=step.desired)
            )
        except Refused as error:
            refused = error
            target = await _look_again(step.target, watch=watch, world=world)
            if target is None:
                return None
            (step,) = decide([target])
            continue
        now = replace(step.target, application=written, source=written.sources[source.index])
        return _Done(replace(step, target=now), moved_from=source.target_revision or "")
    if step.action is not Action.MOVE:
        return _Done(step)
    # The API server tells a failed test and a change that its own rules refuse by the same status code.
    return _Done(
        step,
        problem=ObjectChanged(
            "somebody else changes it faster than we can decide, or the API server does not allow the change "
            f"({refused}); trying again later"
        ),
    )


async def _look_again(target: Target, *, watch: BundleWatch, world: World) -> Target | None:
    if await world.applications.reread(target.application) is None:
        return None
    targets, _ = _targets(watch, world)
    return next((found for found in targets if found.key == target.key), None)


def _assessed(done: _Done, chosen: Chosen | None, *, memory: Memory, now: datetime) -> Seen:
    target = done.step.target
    digest = chosen.digest if chosen is not None and done.step.desired == target.source.target_revision else None
    moved_from = memory.moved_untold(done.step) if done.moved_from is None else done.moved_from
    return Seen(done.step, _assess(target, digest, now=now), moved_from, done.problem)


def _observed(
    targets: Sequence[Target],
    watch: BundleWatch,
    *,
    memory: Memory,
    read: Reader,
    now: datetime,
    unread: bool = False,
) -> tuple[Seen, ...]:
    """The targets when nothing is decided: what status said we wanted stands, and so does a person's later word.

    `unread`: nothing could be, since of none it can be told what runs.
    """
    candidate = watch.status.candidate
    seen = []
    for target in targets:
        live, wanted = target.source.target_revision or "", memory.standing(target)
        record = None if memory.resumed else memory.record(target)
        hold = held(target, record, watch=watch.name, read=read) if record is not None else None
        digest = candidate.digest if candidate is not None and wanted == live else None
        run = runs(target, read=read) if unread and hold is None else None
        step = hold or (blocked(target, run, newer="a tag") if run is not None else Step(target, Action.KEEP, wanted))
        seen.append(Seen(step, _assess(target, digest, now=now)))
    return tuple(seen)


def _assess(target: Target, digest: str | None, *, now: datetime) -> Assessment:
    manager = target.application.target_revision_managers.get(target.source.index)
    return assess(
        target.application,
        target.source.index,
        target=target.source.target_revision or "",
        digest=digest,
        patched_at=manager.time if manager is not None and manager.name == FIELD_MANAGER else None,
        now=now,
    )
