"""One pass over one BundleWatch, from tags to what Argo CD should deploy. Level-triggered: it asks what is, not
what happened, so that a pass that was lost is made up by the next.

The order is that of urgency. A release that has failed is first of all recorded, in a pass of its own that writes
nothing else: whoever is stopped after that finds it there. Then what failed is taken back, for which no registry has
to answer. Only then something new is chosen.

Every decision is a pure call; every failure ends in the outcome, which one place turns into status and Events.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol

from bundlewatch.api.rollout import REQUEST
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd.assessment import Cause
from bundlewatch.argocd.operation import busy_with
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.bundle.provenance import Provenance
from bundlewatch.engine.carrying import Applications, Decide, Done, aim, carry_out
from bundlewatch.engine.choosing import choose
from bundlewatch.engine.composing import Composer
from bundlewatch.engine.following import Following, Standing
from bundlewatch.engine.found import Outcome, Seen
from bundlewatch.engine.gatekeeping import Gatekeeper, Upstreams
from bundlewatch.engine.listing import Listing
from bundlewatch.engine.memory import Memory
from bundlewatch.engine.neighbours import Neighbours, ReadsArgoCD
from bundlewatch.engine.planning import Planner, Standings
from bundlewatch.engine.policies import Judge
from bundlewatch.engine.route import Route
from bundlewatch.engine.shut_windows import what_is_shut
from bundlewatch.engine.telling import tell_applications
from bundlewatch.errors import BundleWatchError, ObjectGone
from bundlewatch.policy.gates import Gates
from bundlewatch.rollout.plan import Action, Step, blocked, held, running_of, runs
from bundlewatch.rollout.targets import Target
from bundlewatch.rollout.waves import queue

logger = logging.getLogger(__name__)


class Bundles(Protocol):
    """What the registry holds, as complete answers or errors."""

    def latest(self, route: Route) -> Listing | None: ...

    async def inspect(self, route: Route, tag: str) -> Inspected: ...

    async def origin(self, route: Route, digest: str) -> Provenance: ...


@dataclass(frozen=True, slots=True)
class World:
    """Everything a pass may touch."""

    applications: Applications
    bundles: Bundles
    argocd: ReadsArgoCD
    upstreams: Upstreams
    annotate: bool = True
    """Whether Applications are told, in annotations, what they were given."""


async def reconcile(
    watch: BundleWatch,
    *,
    policy: Judge,
    gates: Gates,
    route: Route | None,
    trouble: BundleWatchError | None,
    world: World,
    now: datetime,
) -> Outcome:
    """One pass. `trouble`: why the last listing failed; then nothing new is chosen, and what runs is followed on."""
    if watch.spec.suspend:
        return Outcome(suspended=True)
    outcome = Outcome(policy=policy, problem=trouble)
    targets, outcome.unmet = aim(watch, world.applications)
    listing = world.bundles.latest(route) if route is not None and trouble is None else None
    memory = Memory.of(watch)
    outcome.quarantine = memory.quarantine(targets, now=now)
    following = Following(watch, memory, now, tags=listing.tags if listing is not None else None)
    neighbours = Neighbours(world.argocd)
    before = following.of_all(targets)
    shut = await what_is_shut(before.values(), neighbours=neighbours, now=now)
    if shut:
        following = replace(following, shut=shut)
        before = following.of_all(targets)
    work = _Pass(
        watch,
        policy,
        gates,
        world,
        memory,
        following,
        outcome,
        planner=Planner(watch, memory, policy.read, now),
        neighbours=neighbours,
        before=before,
    )
    if work.has_failed(targets):
        return outcome
    targets = await work.take_back(targets)
    if listing is None or route is None:
        outcome.pending = trouble is None
        await work.follow(targets)
    else:
        await work.release(targets, listing=listing, route=route)
    await work.name_windows()
    await work.annotate()
    return outcome


@dataclass(slots=True)
class _Pass:
    """The parts of one pass, in the order in which they are called; each adds to the outcome."""

    watch: BundleWatch
    policy: Judge
    gates: Gates
    world: World
    memory: Memory
    following: Following
    outcome: Outcome
    planner: Planner
    neighbours: Neighbours
    before: Standings

    def has_failed(self, targets: Sequence[Target]) -> bool:
        """Whether a release turned out to have failed: then that is recorded, and nothing else is done."""
        released = self.planner.of_released(self.outcome.quarantine)
        failures = self.following.failures(targets, self.before, quarantine=released)
        if not failures:
            return False
        for entry in failures:
            self.outcome.quarantine = self.outcome.quarantine.add(entry)
        self.outcome.failures = failures
        self.outcome.at_once = True
        self.outcome.seen = tuple(self._seen(self._standing_step(target), moved_from=None) for target in targets)
        return True

    async def take_back(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Take back what failed; the targets that are still to be dealt with."""
        decide = partial(self.planner.take_backs, quarantine=self.outcome.quarantine)
        steps = decide(targets)
        if not steps:
            return tuple(targets)
        done = await self._carry_out(steps, decide)
        self._add(done)
        self.outcome.at_once = any(found.problem is None for found in done)
        dealt_with = {step.target.key for step in steps}
        return tuple(target for target in targets if target.key not in dealt_with)

    async def follow(self, targets: Sequence[Target], *, unread: bool = False) -> None:
        """What runs is followed on, and nothing new is decided."""
        steps = [self._standing_step(target, unread=unread) for target in targets]
        self._add(await self._carry_out([self._asking(step) for step in steps], _nothing))

    async def release(self, targets: Sequence[Target], *, listing: Listing, route: Route) -> None:
        """Choose what goes, and have it go as far as it may."""
        outcome, spec, world = self.outcome, self.watch.spec, self.world
        running = running_of(targets, read=self.policy.read, downgrade=spec.rollout.allow_downgrade)
        gatekeeper = Gatekeeper(
            self.watch,
            self.gates,
            targets=targets,
            upstreams=world.upstreams,
            applications=world.applications,
            quarantine=outcome.quarantine,
            now=self.following.now,
        )
        outcome.gatekeeper = gatekeeper
        try:
            outcome.selection = self.policy.select(listing.tags, running=running)
            look = partial(world.bundles.inspect, route)
            choice = await choose(outcome, targets, spec=spec, look=look, rule=gatekeeper.rule)
        except ObjectGone:
            raise  # the watch has left its repository meanwhile: whatever this pass found is of no use
        except BundleWatchError as error:
            outcome.problem, outcome.again = error, error.retry
            await self.follow(targets)
            return
        finally:
            outcome.quarantine = gatekeeper.quarantine
        if choice is None:
            await self.follow(targets, unread=running.unread is not None)
            return
        back = [seen.step for seen in outcome.seen]
        hurdle = self.planner.hurdle(
            choice,
            [*back, *self.planner.steps(choice, targets)],
            outcome.unmet,
            standings=self.before,
            gatekeeper=gatekeeper,
        )

        def decide(anew: Sequence[Target]) -> tuple[Step, ...]:
            return tuple(self._asking(queue(step, hurdle=hurdle)) for step in self.planner.steps(choice, anew))

        steps = decide(targets)
        if outcome.chosen is not None and any(step.action is Action.MOVE for step in steps):
            origin = await world.bundles.origin(route, outcome.chosen.digest)
            outcome.chosen = replace(outcome.chosen, origin=origin)
        done = await self._carry_out(steps, decide)
        self._add(done)
        moved = running_of([found.step.target for found in done], read=self.policy.read, downgrade=False)
        outcome.selection = outcome.selection.after(moved.tags)  # else the next pass would have to tell it anew
        if len(done) < len(targets):
            _, outcome.unmet = aim(self.watch, world.applications)

    async def name_windows(self) -> None:
        """Argo CD leaves no trace of a sync that a window holds back, so the AppProject is asked."""
        self.outcome.seen = tuple([await self._with_its_window(seen) for seen in self.outcome.seen])

    async def _with_its_window(self, seen: Seen) -> Seen:
        application = seen.step.target.application
        if seen.assessment.cause is not Cause.AUTO_SYNC_HELD:
            return seen
        found = await self.neighbours.sync(application, self.following.now)
        if found is None or found.may_auto:
            return seen
        message = f"{seen.step.target.source.target_revision} is not synced: {found.message}"
        return replace(seen, assessment=replace(seen.assessment, message=message))

    async def annotate(self) -> None:
        await tell_applications(
            self.outcome, watch=self.watch, composer=self._composer, applications=self.world.applications
        )

    async def _carry_out(self, steps: Sequence[Step], decide: Decide) -> list[Done]:
        return await carry_out(
            steps,
            watch=self.watch,
            applications=self.world.applications,
            decide=decide,
            compose=self._composer.compose,
        )

    @property
    def _composer(self) -> Composer:
        return Composer(
            self.watch,
            self.memory,
            self.neighbours,
            self.following.now,
            annotate=self.world.annotate,
            chosen=self.outcome.chosen.bundle if self.outcome.chosen is not None else None,
        )

    def _add(self, done: Sequence[Done]) -> None:
        seen = [self._seen(found.step, found.moved_from, found.problem) for found in done]
        self.outcome.seen = tuple(sorted((*self.outcome.seen, *seen), key=lambda entry: entry.step.target.key))
        self.outcome.again = self.outcome.again or any(found.problem is not None for found in done)

    def _seen(self, step: Step, moved_from: str | None, problem: BundleWatchError | None = None) -> Seen:
        step = self._told_first(step) if problem is None else step
        released = step.action is Action.MOVE and moved_from is not None
        standing = self.following.of(step.target, moved=True) if released else self._standing(step.target)
        progress, record = standing.progress, self.memory.record(step.target)
        known = self.before.get(step.target.key)
        if released and known is not None:  # what was seen healthy there up to now
            progress = replace(progress, last_healthy=known.progress.last_healthy)
        fallback = None
        if progress.deadline is not None:
            ongoing = record is not None and record.deadline is not None and record.target == step.desired
            fallback = record.fallback if ongoing and record is not None else progress.last_healthy
        untold = self.memory.moved_untold(step) if moved_from is None else moved_from
        done = moved_from is not None or (step.asks and problem is None)
        done_at = self.following.now if done else None
        return Seen(step, standing.assessment, progress, fallback, untold, problem, done_at)

    def _told_first(self, step: Step) -> Step:
        """What is set without any status telling of it is told before what it has to wait for: as long as nothing
        tells of a move, its release begins anew with every look.
        """
        arrived = Step(step.target, Action.KEEP, step.target.live)
        waits = step.action in {Action.QUEUE, Action.REFUSE}
        if not waits or not arrived.desired or self.memory.moved_untold(arrived) is None:
            return step
        self.outcome.at_once = True
        return arrived

    def _standing(self, target: Target) -> Standing:
        """Where a target stands; as it did at the beginning, unless it was written or read again since."""
        known = self.before.get(target.key)
        return known if known is not None and known.target is target else self.following.of(target)

    def _asking(self, step: Step) -> Step:
        """The step; or, where everything is set, asking Argo CD for what nobody else would: to sync it, to render it
        anew, or to stop what was taken back.
        """
        target, live = step.target, step.target.live
        if step.action is not Action.KEEP or step.desired != live or not live:
            return step
        standing = self._standing(target)
        cause = standing.assessment.cause
        if standing.progress.refresh:
            return replace(step, action=Action.REFRESH)
        quarantine = self.outcome.quarantine
        if cause is Cause.MANUAL_SYNC and self.watch.spec.rollout.sync == REQUEST:
            return step if quarantine.has(tag_of(live)) else replace(step, action=Action.SYNC)
        if cause is Cause.OTHER_OPERATION:
            busy = tag_of(busy_with(target.application, target.source))
            # One of ours that is tried again and again has been superseded, and would hold this one up for ever.
            state = target.application.operation_state
            superseded = state is not None and state.finished_at is not None and self.memory.moved_to(busy)
            if quarantine.has(busy) or superseded:
                return replace(step, action=Action.END)
        return step

    def _standing_step(self, target: Target, *, unread: bool = False) -> Step:
        """The step where nothing is decided: what status said we wanted stands, and so does a person's later word.

        `unread`: nothing could be, since of none it can be told what runs.
        """
        record = None if self.memory.resumed else self.memory.record(target)
        hold = held(target, record, terms=self.planner.terms) if record is not None else None
        run = runs(target, read=self.policy.read) if unread and hold is None else None
        if hold is None and run is not None:
            return blocked(target, run, newer="a tag")
        if hold is not None:
            return hold
        untold = Step(target, Action.KEEP, target.live)
        # What we have set ourselves stands, also where we were stopped before status could tell of it.
        if self.memory.moved_untold(untold) is not None:
            return untold
        return Step(target, Action.KEEP, self.memory.standing(target))


def _nothing(_: Sequence[Target]) -> tuple[Step, ...]:
    """What is decided anew where nothing new is decided."""
    return ()
