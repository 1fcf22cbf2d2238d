"""One pass from beginning to end: decide, carry out, write status where it changed, tell what happened."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from bundlewatch.api import gates as api
from bundlewatch.api.moments import rfc3339
from bundlewatch.api.v1alpha1 import BundleWatch, Identity, Status, Tags
from bundlewatch.cluster import events
from bundlewatch.cluster.status import merge_patch
from bundlewatch.engine.defects import Defects
from bundlewatch.engine.found import Outcome
from bundlewatch.engine.gatekeeping import in_order
from bundlewatch.engine.notices import notices
from bundlewatch.engine.outcome import status_of, status_of_mistake
from bundlewatch.engine.policies import Policies
from bundlewatch.engine.ports import Cluster, Json
from bundlewatch.engine.reconcile import World, reconcile
from bundlewatch.engine.route import Route
from bundlewatch.engine.table import Name, Table, Unreadable
from bundlewatch.errors import BundleWatchError, Mistake, ObjectChanged, ObjectGone
from bundlewatch.policy.gates import Gates
from bundlewatch.registry.reference import parse_repository

logger = logging.getLogger(__name__)

Reader = Callable[[Json], BundleWatch | Unreadable]
Written = Callable[[BundleWatch | Unreadable, Status], None]


@dataclass(frozen=True, slots=True)
class Next:
    """What a pass asks for: `failed`, to be done again after a pause; `at_once`, to be gone on with; `after_s`, to be
    looked at again then.
    """

    failed: bool = False
    at_once: bool = False
    after_s: float | None = None


class Passes:
    """Knows how to do one; when and for whom is the engine's."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        table: Table,
        world: World,
        read: Reader,
        now: Callable[[], datetime],
        policies: Policies,
        instance: str,
    ) -> None:
        self._cluster = cluster
        self._table = table
        self._world = world
        self._read = read
        self._now = now
        self._policies = policies
        self._instance = instance
        self._defects = Defects()

    def route_of(self, watch: BundleWatch | Unreadable) -> Route | None:
        """How the watch reaches its repository; None: it is suspended, or its spec leads nowhere."""
        if not isinstance(watch, BundleWatch) or watch.spec.suspend:
            return None
        try:
            return Route.of(watch)
        except Mistake:
            return None  # the pass says so

    async def once(
        self, name: Name, *, route: Route | None, trouble: BundleWatchError | None, looked: bool, written: Written
    ) -> "Next":
        """Do one pass.

        `trouble`: why the route's last listing failed. `looked`: the last listing is as new as was asked for.
        `written` is told the answer to a write of status, and what was written.
        """
        watch = self._table.watches.get(name)
        if watch is None:
            return Next()
        about = {"object": "/".join(name)}
        try:
            outcome, after = await self._find_out(watch, route=route, trouble=trouble, looked=looked)
            before = await self._write(watch, after, written=written)
        except ObjectGone:
            return Next()  # the watch tells so too, or the sweep finds out; then the engine lets go of all of it
        except BundleWatchError as error:
            logger.warning("status was not written, trying again: %s", error, extra=about)
            return Next(failed=True)
        logger.debug("looked, %s", "and nothing is new" if before is None else "and told what is new", extra=about)
        if before is not None:
            await self._tell(watch, before, after, outcome, now=rfc3339(self._now()))
        if outcome.at_once and not self._kept(watch, after):
            return Next(failed=True)
        due = outcome.recheck_at
        after_s = max(1.0, (due - self._now()).total_seconds()) if due is not None else None
        return Next(failed=outcome.again, at_once=outcome.at_once, after_s=after_s)

    def _kept(self, watch: Identity, after: Status) -> bool:
        """Whether the API server has kept what the next pass has to rest on; a CRD older than we are drops it."""
        known = self._table.watches.get((watch.namespace, watch.name))
        if known is None or known.status.quarantine == after.quarantine:
            return True
        logger.error(
            "the API server drops a part of the status: the CRD is older than this operator; apply crds/ anew",
            extra={"object": f"{watch.namespace}/{watch.name}"},
        )
        return False

    async def _find_out(
        self, watch: BundleWatch | Unreadable, *, route: Route | None, trouble: BundleWatchError | None, looked: bool
    ) -> tuple[Outcome, Status]:
        """Decide and carry out, and what there is to say of it; a defect of ours is said like any other fault."""
        try:
            outcome = await self._decide(watch, route=route, trouble=trouble)
            return outcome, self._status(watch, outcome, now=rfc3339(self._now()), looked=looked)
        except BundleWatchError:
            raise
        except Exception as error:  # noqa: BLE001 - any may be; none may end the service of this object
            problem = self._defects.tell(error, work=f"a pass over {watch}")
            outcome = Outcome(problem=problem, unread=True, again=True)
            return outcome, status_of_mistake(watch, problem, now=rfc3339(self._now()))

    async def _decide(
        self, watch: BundleWatch | Unreadable, *, route: Route | None, trouble: BundleWatchError | None
    ) -> Outcome:
        if isinstance(watch, Unreadable):
            return Outcome(problem=watch.error)
        try:
            parse_repository(watch.spec.repository)
        except Mistake as error:
            return Outcome(problem=error, unread=True)
        mistake: Mistake | None = None
        try:
            policy, gates = self._policies.of(watch.spec), self._policies.gates(watch)
            in_order(watch, self._table)
        except Mistake as error:
            # Nothing new is chosen; a release that is under way is followed on, and taken back if it fails.
            mistake = error
            policy = self._policies.of(replace(watch.spec, tags=Tags(), pin=None))
            gates = Gates.compile(api.Gates(), name=watch.name, namespace=watch.namespace)
        outcome = await reconcile(
            watch,
            policy=policy,
            gates=gates,
            route=route if mistake is None else None,
            trouble=trouble if mistake is None else mistake,
            world=self._world,
            now=self._now(),
        )
        outcome.mistaken = mistake is not None
        return outcome

    def _status(self, watch: BundleWatch | Unreadable, outcome: Outcome, *, now: str, looked: bool) -> Status:
        if isinstance(watch, Unreadable) or outcome.unread:
            assert outcome.problem is not None
            return status_of_mistake(watch, outcome.problem, now=now)
        return status_of(watch, outcome, now=now, looked=looked and not outcome.mistaken)

    async def _write(self, watch: Identity, after: Status, *, written: Written) -> Status | None:
        """Write what changed; the status there was before, or None when nothing has changed.

        Raises ObjectChanged where the status is not any more the one that was decided by: another process of the
        operator has written it, and what that knew must not get lost.
        """
        known = self._table.watches.get((watch.namespace, watch.name))
        if known is None or known.uid != watch.uid:
            return None
        before = known.status
        if before != watch.status:
            raise ObjectChanged("another process of the operator has written the status meanwhile")
        patch = merge_patch(before.to_dict(), after.to_dict())
        if not patch:
            return None
        answer = await self._cluster.patch_watch_status(
            watch.namespace,
            watch.name,
            uid=watch.uid,
            status=patch,
            version=known.resource_version,
        )
        known = self._table.watches.get((watch.namespace, watch.name))
        if known is not None and known.uid == watch.uid:  # else it was deleted before its answer came
            written(self._read(answer), after)
        return before

    async def _tell(self, watch: Identity, before: Status, after: Status, outcome: Outcome, *, now: str) -> None:
        for notice in notices(watch, before, after, outcome, now=now):
            level = logging.WARNING if notice.type == "Warning" else logging.INFO
            subject = f"{notice.subject.namespace}/{notice.subject.name}"
            extra = {"object": subject, "reason": notice.reason, "repository": watch_repository(watch)}
            if after.candidate is not None:
                extra["tag"] = after.candidate.tag
            logger.log(level, "%s", notice.message, extra=extra)
            event = events.body(notice, now=now, instance=self._instance)
            try:
                await self._cluster.create_event(notice.subject.namespace, event)
            except BundleWatchError as error:
                logger.warning("an Event was not written: %s", error, extra={"object": subject})


def watch_repository(watch: Identity) -> str:
    return watch.spec.repository if isinstance(watch, BundleWatch) else ""
