"""What a pass would decide, and why, without doing it: the answer of `bundlewatch explain`.

Rests on the very parts a pass is made of, so that it cannot say anything else than the operator does. Of a live
BundleWatch it asks the API server and the registry; of one that is not applied yet it takes what it is given.
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from bundlewatch.api.conditions import Reason
from bundlewatch.api.v1alpha1 import BundleWatch
from bundlewatch.argocd import application
from bundlewatch.argocd.spelling import tag_of
from bundlewatch.bundle.inspection import Inspected
from bundlewatch.cluster.client import APPLICATIONS, BUNDLE_WATCHES, Resource
from bundlewatch.engine.carrying import aim
from bundlewatch.engine.choosing import Chosen, Findings, Look, choose
from bundlewatch.engine.following import Following
from bundlewatch.engine.gatekeeping import Gatekeeper, in_order
from bundlewatch.engine.keychain import DockerConfigFile, Keychain, ReadsCredentials
from bundlewatch.engine.listing import Listings, ReadsRegistries
from bundlewatch.engine.memory import Memory
from bundlewatch.engine.planning import Planner
from bundlewatch.engine.policies import compiled
from bundlewatch.engine.ports import Json
from bundlewatch.engine.route import Route
from bundlewatch.engine.table import Table, read_watch
from bundlewatch.errors import InvalidSpec, ObjectGone
from bundlewatch.policy.gates import Gates
from bundlewatch.policy.selection import Candidate, Running, select
from bundlewatch.policy.verdict import Verdict
from bundlewatch.rollout.plan import Action, Choice, Step, running_of
from bundlewatch.rollout.targets import Target, Unmet
from bundlewatch.rollout.waves import queued


class ReadsCluster(ReadsCredentials, Protocol):
    async def objects(self, resource: Resource, *, namespace: str) -> Sequence[Json]: ...


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found, and what would become of each Application (its name, and that in words)."""

    watch: BundleWatch
    findings: Findings
    tags: Sequence[str]
    applications: tuple[tuple[str, str], ...] = ()

    @property
    def choice(self) -> Verdict | None:
        chosen = self.findings.chosen
        return self.verdicts((chosen.candidate.tag,))[0] if chosen is not None else None

    def verdicts(self, tags: Iterable[str] | None = None) -> tuple[Verdict, ...]:
        """The verdicts on these tags of the listing, or on all: the choice first, then the newest first."""
        assert self.findings.selection is not None
        return self.findings.selection.verdicts(
            self.tags if tags is None else tags, chosen=self._chosen, rejected=self.findings.rejected
        )

    def nearest(self, count: int) -> tuple[Verdict, ...]:
        """The choice, and the verdicts a person asks for first."""
        assert self.findings.selection is not None
        return self.findings.selection.nearest(count, chosen=self._chosen, rejected=self.findings.rejected)

    def counts(self) -> dict[str, int]:
        """How many tags got each verdict, the most first."""
        assert self.findings.selection is not None
        found = self.findings.selection.counts(chosen=self._chosen, rejected=self.findings.rejected)
        return {str(reason): count for reason, count in sorted(found.items(), key=lambda entry: (-entry[1], entry[0]))}

    @property
    def _chosen(self) -> Candidate | None:
        return self.findings.chosen.candidate if self.findings.chosen is not None else None


async def explain_live(
    name: str,
    namespace: str,
    *,
    cluster: ReadsCluster,
    registry: ReadsRegistries,
    timeout_s: float,
    default: DockerConfigFile | None = None,
) -> Explanation:
    """What the operator would decide now about a BundleWatch of the cluster.

    Raises InvalidSpec when there is none of that name or its spec is wrong, and what the API server, its Secrets
    and the registry raise. `timeout_s`: deadline of the listing. `default`: the operator's Docker configuration.
    """
    table = Table()
    try:
        bodies = await cluster.objects(BUNDLE_WATCHES, namespace=namespace)
    except ObjectGone:
        raise InvalidSpec("the cluster knows no BundleWatches; apply crds/ first, or name another --context") from None
    for body in bodies:
        table.put_watch(read_watch(body))
    watch = table.watches.get((namespace, name))
    if watch is None:
        raise InvalidSpec(f"there is no BundleWatch {namespace}/{name}; `kubectl get bw --all-namespaces` lists all")
    if not isinstance(watch, BundleWatch):
        raise watch.error
    policy, gates = compiled(watch.spec), Gates.compile(watch.spec.gates, name=name, namespace=namespace)
    in_order(watch, table)
    route = Route.of(watch)
    for body in await cluster.objects(APPLICATIONS, namespace=namespace):
        table.put_application(application.parse(body))
    targets, unmet = aim(watch, table)
    memory, now = Memory.of(watch), datetime.now(UTC)
    gatekeeper = Gatekeeper(
        watch,
        gates,
        targets=targets,
        upstreams=table,
        applications=table,
        quarantine=memory.quarantine(targets, now=now),
        now=now,
    )
    keychain = Keychain(cluster=cluster, default=default)
    listings = Listings(registry=registry, keychain=keychain, clock=time.monotonic, timeout_s=timeout_s)
    try:
        listing = await listings.refresh(route, fresh_since=-math.inf, asked_at=math.inf, interval_s=0)
        running = running_of(targets, read=policy.read, downgrade=watch.spec.rollout.allow_downgrade)

        async def look(tag: str) -> Inspected:
            return await listings.inspect(route, tag)

        findings = Findings(select(listing.tags, policy=policy, running=running))
        choice = await choose(findings, targets, spec=watch.spec, look=look, rule=gatekeeper.rule)
    finally:
        await listings.close()
    planner = Planner(watch, memory, policy.read, now)
    steps = planner.take_backs(targets, quarantine=gatekeeper.quarantine)
    if choice is not None and not steps:
        planned = planner.steps(choice, targets)
        standings = Following(watch, memory, now, tags=listing.tags).of_all(targets)
        hurdle = planner.hurdle(choice, planned, unmet, standings=standings, gatekeeper=gatekeeper)
        steps = queued(planned, hurdle=hurdle)
    return Explanation(watch, findings, listing.tags, _fates(choice, steps, targets, unmet, watch=watch))


async def explain_offline(
    watch: BundleWatch, tags: Sequence[str], *, current: str | None, look: Look | None
) -> Explanation:
    """What would be decided about a BundleWatch that need not be in any cluster. `current`: the tag that runs.

    Without `look` tags are taken by their names alone. Raises InvalidPattern, InvalidRange and what `look` raises.
    """
    policy = compiled(watch.spec)
    running = Running()
    if current is not None:
        tag = tag_of(current)
        floor = policy.read(tag)
        running = Running(tags=frozenset({tag}), floor=floor, unread=tag if floor is None else None)
        if watch.spec.rollout.allow_downgrade:
            running = Running(tags=running.tags)
    findings = Findings(select(tags, policy=policy, running=running))
    if look is not None:
        await choose(findings, (), spec=watch.spec, look=look)
    elif (best := next(findings.selection.ranked, None) if findings.selection is not None else None) is not None:
        findings.chosen = Chosen(best, digest="", chart="", version="")
    return Explanation(watch, findings, tags)


def _fates(
    choice: Choice | None,
    steps: Sequence[Step],
    targets: Sequence[Target],
    unmet: Sequence[Unmet],
    *,
    watch: BundleWatch,
) -> tuple[tuple[str, str], ...]:
    told = [(step.target.application.name, _fate(step, watch)) for step in steps]
    if choice is None and not steps:
        told = [
            (target.application.name, f"stays at {target.source.target_revision or 'nothing'}") for target in targets
        ]
    told += [(found.application, f"{found.reason}: {found.message}") for found in unmet]
    if not told:
        told = [
            ("(none)", f"{Reason.NO_APPLICATION}: no Application carries the labels and deploys from this repository")
        ]
    return tuple(sorted(told))


def _fate(step: Step, watch: BundleWatch) -> str:
    live = step.target.source.target_revision or "nothing"
    match step.action:
        case Action.MOVE if watch.spec.suspend:
            return f"stays at {live} while spec.suspend is true; then moves to {step.desired}"
        case Action.MOVE:
            return f"moves from {live} to {step.desired}"
        case Action.TAKE_BACK:
            return f"goes back from {live} to {step.desired}: {step.message}"
        case Action.QUEUE:
            return f"stays at {live} for now: {step.message}"
        case Action.KEEP | Action.SYNC | Action.END | Action.REFRESH:
            return f"stays at {live}: {step.message}" if step.message else f"is at {live} already"
        case Action.HOLD:
            return f"Held: {step.message}"
    return f"Blocked: {step.message}"
