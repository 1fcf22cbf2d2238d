"""Compares what there is in the cluster with what the watch has told of, by uid.

A watch tells of no deletion that fell into a gap, and of nothing at all when it has gone deaf. So everything is
counted once at the start, and again now and then: what is known and not there any more has gone unseen; what is
there and stays untold has the watch started over. It knows uids only, not what any object says.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

from bundlewatch.cluster.client import APPLICATIONS, BUNDLE_WATCHES
from bundlewatch.engine.defects import Defects
from bundlewatch.engine.ports import Cluster
from bundlewatch.engine.table import Table
from bundlewatch.errors import BundleWatchError, ObjectGone

logger = logging.getLogger(__name__)

_EVERY_S = 600.0
_SOON_S = 2.0
_AFTER_A_FAILURE_S = 20.0
_HEARTBEAT_S = 5.0
_DEAF_S = 10.0  # how long the watch may take to tell of an object that is there
_RESTART_S = 60.0  # how long a watch that was started over has for it, the first time


class Census:
    """`due_at` says when `ghosts` is wanted next, of the clock that was given."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        table: Table,
        namespaces: Sequence[str],
        clock: Callable[[], float],
        defects: Defects,
        restart_watch: Callable[[], None],
    ) -> None:
        """`restart_watch`: has the watch start over, because it does not tell of what is there."""
        self._cluster = cluster
        self._table = table
        self._namespaces = namespaces
        self._clock = clock
        self._defects = defects
        self._restart_watch = restart_watch
        self.due_at = clock() + _EVERY_S
        self._parting: set[str] = set()
        self._untold: dict[str, float] = {}
        """Uids of objects that are there and that the watch has not told of, and since when we know."""

        self._deaf_to: frozenset[str] = frozenset()
        self._restarts = 0
        self._restart_at = 0.0

    def parting(self, uid: str) -> None:
        """It is being deleted: it is still there, and counts neither as known nor as untold."""
        self._parting.add(uid)

    def soon(self, *, within_s: float = _SOON_S) -> None:
        self.due_at = min(self.due_at, self._clock() + within_s)

    def taken_up(self) -> None:
        """A count is about to be made; one that is wanted meanwhile comes after it."""
        self.due_at = self._clock() + _EVERY_S

    def deafness(self) -> str | None:
        """What the watch does not tell of although it had the time; None: nothing."""
        untold = self._not_told_of(self._deaf_to)
        return f"the watch of the cluster does not tell of all there is ({len(untold)} missing)" if untold else None

    async def everything_told(self, *, beat: Callable[[], None]) -> None:
        """Wait until the watch has told of every object there is. `beat` is called all the while."""
        missing: frozenset[str] = frozenset({""})
        relist_at = 0.0
        said = ""
        while missing:
            beat()
            try:
                if self._clock() >= relist_at:
                    missing = await self._counted(beat=beat)
                    relist_at, said = self._clock() + _SOON_S, ""
            except ObjectGone:
                await asyncio.sleep(1)  # not served yet; whoever starts the watch waits for that and says so
                continue
            except Exception as error:  # noqa: BLE001 - a defect here is no reason to end either
                if not isinstance(error, BundleWatchError):
                    self._defects.tell(error, work="reading what there is in the cluster")
                elif str(error) != said:
                    said = str(error)
                    logger.warning("%s", error)
                await asyncio.sleep(1)
                continue
            missing = self._not_told_of(missing)
            await asyncio.sleep(0.05 if missing else 0)

    async def ghosts(self) -> frozenset[str]:
        """The uids that are known and not there any more. A count that fails finds none, and is made again."""
        known = self._table.uids()  # before listing: what appears meanwhile is not in this set
        try:
            there = await self._uids()
        except Exception as error:  # noqa: BLE001 - any may be; none may end the counting
            if isinstance(error, BundleWatchError):
                logger.warning("cannot look for objects deleted unseen, trying again: %s", error)
            else:
                self._defects.tell(error, work="looking for objects deleted unseen")
            self.soon(within_s=_AFTER_A_FAILURE_S)
            return frozenset()
        self._parting &= there
        self._listen(self._not_told_of(there))
        return known - there

    def _listen(self, untold: frozenset[str]) -> None:
        """What the watch has not told of it may be about to; after a while it is deaf, and has to start over."""
        now = self._clock()
        self._untold = {uid: self._untold.get(uid, now) for uid in untold}
        self._deaf_to = frozenset(uid for uid, since in self._untold.items() if now - since >= _DEAF_S)
        if not untold:
            self._restarts = 0
            return
        self.soon(within_s=_RESTART_S if self._deaf_to else _DEAF_S)
        if self._deaf_to and now >= self._restart_at:
            self._restart_at = now + min(_RESTART_S * 2.0 ** min(self._restarts, 10), _EVERY_S)
            self._restarts += 1
            logger.warning(
                "the watch of the cluster does not tell of all there is (%d missing): it is started over",
                len(self._deaf_to),
            )
            self._restart_watch()

    def _not_told_of(self, uids: frozenset[str]) -> frozenset[str]:
        return uids - self._table.uids() - self._parting if uids else uids

    async def _counted(self, *, beat: Callable[[], None]) -> frozenset[str]:
        """The uids of everything there is; counting may take longer than we may be silent."""
        task = asyncio.create_task(self._uids())
        try:
            while not task.done():
                beat()
                await asyncio.wait({task}, timeout=_HEARTBEAT_S)
            return task.result()
        finally:
            task.cancel()

    async def _uids(self) -> frozenset[str]:
        kinds = [
            await self._cluster.uids(which, namespaces=self._namespaces) for which in (BUNDLE_WATCHES, APPLICATIONS)
        ]
        return frozenset().union(*kinds)
