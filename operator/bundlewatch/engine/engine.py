"""The engine: takes what the watch tells and what is due, has it worked on, and writes what changed.

Four things can make a BundleWatch worth a pass: its listing, its object, one of its Applications, a retry. All
of them only mark it; `Lanes` sees to it that it is worked on once at a time, and not at the cost of another
registry. Nothing is decided before everything there is has been seen: a younger BundleWatch must not act
because the older one had not been read yet.

A registry is asked when its listing is an interval old, and when somebody asks for a new one by annotation. A
new or edited BundleWatch makes do with the listing there is.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from bundlewatch.api.v1alpha1 import BundleWatch, Status
from bundlewatch.argocd.application import Application, relevant_change
from bundlewatch.cluster.client import APPLICATIONS, BUNDLE_WATCHES
from bundlewatch.cluster.watch import Event, Gone, Relisted, Seen
from bundlewatch.engine.census import Census
from bundlewatch.engine.defects import Defects
from bundlewatch.engine.lanes import Lanes
from bundlewatch.engine.listing import Listing, Listings
from bundlewatch.engine.passes import Next, Passes
from bundlewatch.engine.polling import Polled, pause_s
from bundlewatch.engine.ports import Cluster
from bundlewatch.engine.route import Route
from bundlewatch.engine.schedule import Schedule, backoff_s, next_interval_s, stable_fraction
from bundlewatch.engine.table import Name, Table, Unreadable
from bundlewatch.errors import BundleWatchError

logger = logging.getLogger(__name__)

_POLLS_PER_HOST = 8
_PASSES_PER_HOST = 16
_STARTS_PER_S = 200.0  # how fast the first listings are begun after a start
_PATIENCE_S = 2.0  # how long a first listing may take before status says that it is under way
_HEARTBEAT_S = 5.0
_STUCK_S = 60.0
_FRESH = 0.9  # of an interval: younger, a listing is not made again; the jitter of due times is less than the rest
_EDITS_S = 10.0  # how often edits, be they hundreds, have a registry in trouble tried again


class Engine:
    """Feed it with `tell`, in the loop that runs `run`."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        listings: Listings,
        table: Table,
        passes: Passes,
        namespaces: Sequence[str],
        clock: Callable[[], float],
        restart_watch: Callable[[], None] = lambda: None,
    ) -> None:
        """`restart_watch`: has the watch of the cluster start over, because it does not tell of what is there."""
        self._listings = listings
        self._table = table
        self._work = passes
        self._namespaces = namespaces
        self._clock = clock
        self._routes: dict[Name, Route] = {}
        self._polled: dict[Route, Polled] = {}
        self._failures: dict[Name, int] = {}
        self._defects = Defects()
        self._census = Census(
            cluster=cluster,
            table=table,
            namespaces=namespaces,
            clock=clock,
            defects=self._defects,
            restart_watch=restart_watch,
        )
        self._due: Schedule[Route] = Schedule()
        self._later: Schedule[Name] = Schedule()
        self._wake = asyncio.Event()
        self._synced = False
        self._beat = clock()
        self._polls: Lanes[Route] = Lanes(self._poll, width=_POLLS_PER_HOST)
        self._passes: Lanes[Name] = Lanes(self._pass, width=_PASSES_PER_HOST)
        self._sweeps: Lanes[str] = Lanes(self._sweep, width=1)

    def healthy(self) -> str | None:
        """None, or what is wrong: the loop has not turned for a while."""
        silent_s = self._clock() - self._beat
        return f"the engine has not turned for {silent_s:.0f} s" if silent_s > _STUCK_S else None

    def ready(self) -> str | None:
        """None, or what is wrong: not everything in the cluster has been seen yet, or the watch has gone deaf."""
        if not self._synced:
            return "still reading the BundleWatches and Applications of the cluster"
        return self._census.deafness()

    async def run(self) -> None:
        """See everything, then work until cancelled. Work under way is ended by `close`."""
        await self._census.everything_told(beat=self._live)
        self._synced = True
        logger.info(
            "ready: every BundleWatch (%d) and Application (%d) was seen, in %s",
            len(self._table.watches),
            len(self._table.applications),
            f"namespaces {', '.join(self._namespaces)}" if self._namespaces else "the whole cluster",
        )
        self._admit_all()
        while True:
            now = self._beat = self._clock()
            for route in self._due.pop_due(now=now):
                self._polls.submit(route, lane=route.lane)
            for name in self._later.pop_due(now=now):
                self._mark(name)
            if now >= self._census.due_at:
                self._census.taken_up()
                self._sweeps.submit("sweep", lane="")  # beside us: a slow API server holds up no listing
            await self._sleep_until(self._due.next_due(), self._later.next_due(), self._census.due_at)

    async def close(self, *, grace_s: float) -> None:
        """End all work: listings at once, passes after they had `grace_s` to finish what they began to write."""
        await self._polls.close(grace_s=0)
        await self._sweeps.close(grace_s=0)
        await self._passes.close(grace_s=grace_s)
        await self._listings.close()

    def tell(self, event: Event) -> None:
        """Take in one change of the cluster."""
        match event:
            case Seen(resource=resource, object=BundleWatch() | Unreadable() as watch) if resource == BUNDLE_WATCHES:
                self.watch_seen(watch, listed=event.listed)
            case Gone(resource=resource, object=BundleWatch() | Unreadable() as watch) if resource == BUNDLE_WATCHES:
                self._watch_gone((watch.namespace, watch.name), uid=watch.uid)
            case Seen(resource=resource, object=Application() as application) if resource == APPLICATIONS:
                self.application_seen(application, listed=event.listed)
            case Gone(resource=resource, object=Application() as application) if resource == APPLICATIONS:
                self.application_gone((application.namespace, application.name), uid=application.uid)
            case Relisted():
                self._sweep_soon()
            case _:
                logger.error("the watch told something unknown: %r", type(event).__name__)

    def application_seen(self, application: Application, *, listed: bool = False) -> None:
        before = self._table.applications.get((application.namespace, application.name))
        if listed and before is not None and before.uid == application.uid:
            self._sweep_soon()  # a list while we know objects: what was deleted meanwhile was not told
        known = self._table.put_application(application)
        if known is application or not relevant_change(known, application):
            return
        self._mark_all(self._table.concerned(application))
        if known is not None and known.labels != application.labels:
            self._mark_all(self._table.concerned(known))

    def application_gone(self, name: Name, *, uid: str) -> None:
        known = self._table.applications.get(name)
        if known is not None and self._table.drop_application(name, uid=uid):
            self._mark_all(self._table.concerned(known))

    def watch_seen(self, watch: BundleWatch | Unreadable, *, listed: bool = False, wrote: Status | None = None) -> None:
        """Take in a BundleWatch as it is now. `wrote`: it is the answer to our writing this status.

        Such an answer may be the first we hear of what a person did just before.
        """
        name = (watch.namespace, watch.name)
        known = self._table.watches.get(name)
        if not self._table.put_watch(watch):
            return
        same = known is not None and known.uid == watch.uid
        if known is None or known.status.history != watch.status.history:
            self._mark_downstream(name)
        if listed and same:
            self._sweep_soon()  # a list while we know objects: what was deleted meanwhile was not told
        if watch.deleting:
            # Somebody's finalizer may keep it for long: it is seen, and no longer served.
            self._census.parting(watch.uid)
            self._watch_gone(name, uid=watch.uid)
        elif not same or known is None or known.generation != watch.generation:
            self._admit(watch, before=known)
        elif known.annotations != watch.annotations:
            self._annotated(watch)
        elif watch.status not in (known.status, wrote):
            self._mark(name)  # somebody else wrote our status

    def _watch_gone(self, name: Name, *, uid: str) -> None:
        known = self._table.watches.get(name)
        if known is not None and self._table.drop_watch(name, uid=uid):
            self._leave(name)
            self._failures.pop(name, None)
            self._later.discard(name)
            self._mark_rivals(known)
            self._mark_downstream(name)
            logger.info("deleted; its Applications stay as they are", extra={"object": "/".join(name)})

    def _admit_all(self) -> None:
        """After the start: spread the first listings, in a stable order, so that a restart is no stampede."""
        spread_s = len(self._table.watches) / _STARTS_PER_S
        for name, watch in self._table.watches.items():
            route = self._join(name, watch)
            if route is None:
                self._mark(name)
                continue
            delay_s = min(spread_s, self._interval_s(route)) * stable_fraction(str(route), route.namespace)
            self._due.set_earlier(route, self._clock() + delay_s)
            self._later.set_earlier(name, self._clock() + delay_s + _PATIENCE_S)

    def _admit(self, watch: BundleWatch | Unreadable, *, before: BundleWatch | Unreadable | None) -> None:
        """A BundleWatch is new, or other than it was `before`; it and those it concerns look again.

        The registry is asked only when nobody has listed its repository within the interval. What it did not
        answer it is asked again when an edit may have cured that.
        """
        if not self._synced:
            return
        name = (watch.namespace, watch.name)
        route = self._join(name, watch)
        if route is not None:
            edited = before is not None and before.uid == watch.uid
            self._look_in_time(route, edited=edited)
            self._look_if_asked(watch, route)
        if route is None or self._polled[route].trouble is not None or self._listings.latest(route) is not None:
            self._mark(name)
        else:
            self._later.set_earlier(name, self._clock() + _PATIENCE_S)
        for rival in (before, watch):
            if rival is not None:
                self._mark_rivals(rival)

    def _annotated(self, watch: BundleWatch | Unreadable) -> None:
        name = (watch.namespace, watch.name)
        route = self._routes.get(name)
        if route is not None:
            self._look_if_asked(watch, route)
        self._mark(name)

    def _look_if_asked(self, watch: BundleWatch | Unreadable, route: Route) -> None:
        asked = watch.reconcile_requested
        if asked is not None and asked != watch.status.last_handled_reconcile_at:
            self._listings.doubt(route)
            self._look_anew(route, at=self._clock())

    def _look_in_time(self, route: Route, *, edited: bool) -> None:
        """Have a listing no older than the interval, which may be another one than before."""
        polled, listing = self._polled[route], self._listings.latest(route)
        if polled.trouble is not None:
            if edited:
                self._look_anew(route, at=max(self._clock(), polled.asked_at + _EDITS_S))
            return
        due = self._clock() if listing is None else self._due_after(listing, route)
        self._due.set_earlier(route, due)
        self._wake.set()

    def _look_anew(self, route: Route, *, at: float) -> None:
        """Somebody asks: what was listed, or refused, before now will not do."""
        if not self._synced:
            return
        polled = self._polled[route]
        polled.ask(now=self._clock())
        self._due.set_earlier(route, at)
        self._wake.set()

    def _join(self, name: Name, watch: BundleWatch | Unreadable) -> Route | None:
        """Have the watch poll the route its spec asks for; None: it asks for none."""
        route = self._work.route_of(watch)
        if self._routes.get(name) != route:
            self._leave(name)
        if route is not None:
            self._routes[name] = route
            self._polled.setdefault(route, Polled()).users.add(name)
        return route

    def _leave(self, name: Name) -> None:
        route = self._routes.pop(name, None)
        if route is None:
            return
        polled = self._polled[route]
        polled.users.discard(name)
        if not polled.users:
            del self._polled[route]
            self._due.discard(route)
            self._listings.forget(route)

    async def _poll(self, route: Route) -> None:
        polled = self._polled.get(route)
        if polled is None:
            return
        interval_s = self._interval_s(route)
        began = self._clock()
        listing, trouble = await self._list(route, polled, began=began, interval_s=interval_s)
        news = trouble is None or polled.answered_at < polled.asked_at
        if trouble is None:
            polled.succeeded(began=began)
        elif polled.failed(trouble, began=began):
            news = True
            logger.warning("%s", trouble, extra={"repository": str(route), "reason": trouble.reason})
        if self._polled.get(route) is not polled:
            if route not in self._polled:
                self._listings.forget(route)  # the last user left while its Secret was being read
            return
        if listing is not None:
            due = self._due_after(listing, route)
        else:
            assert trouble is not None
            due = self._clock() + pause_s(trouble, failures=polled.failures, interval_s=interval_s, key=str(route))
        self._due.set_earlier(route, due)
        self._wake.set()
        if news:  # a Secret that is read again every few seconds is no work for those who wait for it
            for name in polled.users:
                self._mark(name)

    async def _list(
        self, route: Route, polled: Polled, *, began: float, interval_s: float
    ) -> tuple[Listing | None, BundleWatchError | None]:
        """One of the two."""
        try:
            listing = await self._listings.refresh(
                route,
                fresh_since=max(began - _FRESH * interval_s, polled.wanted_since),
                asked_at=polled.asked_at,
                interval_s=interval_s,
            )
        except BundleWatchError as error:
            return None, error
        except Exception as error:  # noqa: BLE001 - any may be; none may end the polling of a repository
            return None, self._defects.tell(error, work=f"listing {route}")
        return listing, None

    def _due_after(self, listing: Listing, route: Route) -> float:
        """When a listing will be an interval old, so that all who share it make the next one together."""
        turn = self._polled[route].turn
        return listing.ended + next_interval_s(self._interval_s(route), key=str(route), turn=turn)

    async def _pass(self, name: Name) -> None:
        watch = self._table.watches.get(name)
        route = self._routes.get(name)
        if watch is not None and self._work.route_of(watch) != route:
            self._admit(watch, before=watch)  # nothing is decided by the tags of a repository the spec has left
            return
        polled = self._polled.get(route) if route is not None else None
        try:
            then = await self._work.once(
                name,
                route=route,
                trouble=polled.trouble if polled is not None else None,
                looked=polled is None or polled.answered_at >= polled.asked_at,
                written=self._watch_written,
            )
        except Exception as error:  # noqa: BLE001 - any may be; none may end the service of an object
            self._defects.tell(error, work=f"a pass over {'/'.join(name)}")
            then = Next(failed=True)
        if then.at_once:
            self._mark(name)
        elif then.after_s is not None:
            self._later.set_earlier(name, self._clock() + then.after_s)
        if then.failed:
            self._failures[name] = failures = self._failures.get(name, 0) + 1
            pause_s = backoff_s(failures, interval_s=0, key="/".join(name)) / 4
            self._later.set_earlier(name, self._clock() + pause_s)
        else:
            self._failures.pop(name, None)
        self._wake.set()

    def _watch_written(self, watch: BundleWatch | Unreadable, status: Status) -> None:
        self.watch_seen(watch, wrote=status)

    def _mark(self, name: Name) -> None:
        if not self._synced:
            return
        self._later.discard(name)
        route = self._routes.get(name)
        self._passes.submit(name, lane=route.lane if route is not None else "")

    def _mark_all(self, watches: Iterable[BundleWatch]) -> None:
        for watch in tuple(watches):
            self._mark((watch.namespace, watch.name))

    def _mark_rivals(self, watch: BundleWatch | Unreadable) -> None:
        """The others that mean an Application this one means: who owns it may have changed."""
        for application in self._table.meant_by(watch):
            self._mark_all(rival for rival in self._table.concerned(application) if rival.uid != watch.uid)

    def _mark_downstream(self, name: Name) -> None:
        """Those whose bundles have to be healthy here first."""
        for waiting in self._table.downstream(name):
            self._mark(waiting)

    def _interval_s(self, route: Route) -> float:
        """The shortest interval among those who share the route."""
        watches = (self._table.watches.get(name) for name in self._polled[route].users)
        return min((watch.spec.interval_s for watch in watches if isinstance(watch, BundleWatch)), default=60.0)

    def _live(self) -> None:
        self._beat = self._clock()

    def _sweep_soon(self) -> None:
        self._census.soon()
        self._wake.set()

    async def _sweep(self, _: str) -> None:
        """Let go of what was deleted in a gap of the watch."""
        ghosts = await self._census.ghosts()
        for name, watch in tuple(self._table.watches.items()):
            if watch.uid in ghosts:
                self._watch_gone(name, uid=watch.uid)
        for name, application in tuple(self._table.applications.items()):
            if application.uid in ghosts:
                self.application_gone(name, uid=application.uid)
        self._wake.set()

    async def _sleep_until(self, *times: float | None) -> None:
        now = self._clock()
        until = min([when for when in times if when is not None] + [now + _HEARTBEAT_S])
        self._wake.clear()
        try:
            async with asyncio.timeout(max(0.0, until - now)):
                await self._wake.wait()
        except TimeoutError:
            return
