"""Following one bundle by asking once a second, until it has arrived, never will, or time is up.

What a status means is judged in `arrival`; here is only when to ask whom, and what was told already.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, Protocol

from bundlewatch.api.v1alpha1 import BundleWatch, Status
from bundlewatch.engine.arrival import (
    NOT_LISTED,
    NOT_LOOKED,
    UNHEARD,
    Ending,
    Line,
    Progress,
    answered,
    judge,
    mistake,
    news,
)
from bundlewatch.engine.policies import compiled
from bundlewatch.errors import ClusterUnavailable, InvalidSpec, NotAllowed, NotThere

EVERY_S: Final = 1.0
ASK_AGAIN_S: Final = 30.0
"""A registry may list a tag late, and the operator's next look by itself may be a day away."""

_LATE_S: Final = 10.0  # how much later than its interval a look may be told of
_DELETED: Final = "Deleted"

_CIRCLE_S: Final = 5.0
"""For how long a mistake may stand that another BundleWatch may have ended: the operator has to hear of that first."""


class Watched(Protocol):
    """One BundleWatch of a cluster. Both raise NotThere, NotAllowed and ClusterUnavailable."""

    async def read(self) -> BundleWatch: ...

    async def ask_to_look(self) -> str:
        """Have the operator look at the registry at once; the token with which status will answer."""
        ...


@dataclass(slots=True, kw_only=True)
class Awaiting:
    """One bundle that is waited for."""

    watched: Watched
    tag: str
    timeout_s: float
    ask: bool
    """Whether the operator is asked to look at the registry; else its own next look is waited for."""

    or_newer: bool
    tell: Callable[[Line], None]
    """Is told each line when it is new."""

    tell_trouble: Callable[[str], None]
    """Is told when the cluster does not answer, and when it does again."""

    now: Callable[[], datetime]
    progress: Progress | None = None
    """What was found last; None: the cluster has not answered yet."""

    _asked: set[str] = field(default_factory=set)
    _asked_at: float = 0.0
    _told: dict[str | None, Line] = field(default_factory=dict)
    _silent: bool = False

    async def end(self) -> tuple[BundleWatch, Progress]:
        """The last state, and what it says; a progress without an ending: time is up.

        An outage is waited out once the cluster has answered. Raises ClusterUnavailable before that, and Mistake, also
        where the operator tells of one in the spec.
        """
        clock = asyncio.get_running_loop().time
        watch = await self.watched.read()
        began, before = clock(), watch.status
        if self.ask:
            await self._ask()
            watch = await self._reread(watch)  # what was read before has a request of before, and its answer
        while True:
            waited_s = clock() - began
            self._refuse_mistake(watch, waited_s=waited_s)
            progress = self.progress = judge(
                watch,
                self.tag,
                policy=compiled(watch.spec),
                now=self.now(),
                looked=self._looked(watch, before, waited_s=waited_s),
                or_newer=self.or_newer,
            )
            self._tell(progress)
            if progress.ending is not None:
                return watch, progress
            if waited_s >= self.timeout_s:
                return watch, _unheard(progress)
            await asyncio.sleep(min(EVERY_S, self.timeout_s - waited_s))
            try:
                if self.ask and progress.reason == NOT_LISTED and clock() >= self._asked_at + ASK_AGAIN_S:
                    await self._ask()
                watch = await self._reread(watch)
            except NotThere as gone:
                return watch, Progress((), _DELETED, str(gone), Ending.FAILED)

    def _refuse_mistake(self, watch: BundleWatch, *, waited_s: float) -> None:
        """Raises InvalidSpec where status tells of a mistake in the spec that waiting does not end."""
        found = mistake(watch)
        lasts = not watch.spec.gates.after or waited_s >= min(_CIRCLE_S, self.timeout_s)
        if found is not None and lasts:
            raise InvalidSpec(f"{watch}: {': '.join(found)}")

    async def _ask(self) -> None:
        self._asked_at = asyncio.get_running_loop().time()
        try:
            self._asked.add(await self.watched.ask_to_look())
        except ClusterUnavailable:
            if not self._asked:
                raise
        except NotAllowed as error:
            raise NotAllowed(f"{error}, or --no-reconcile, which waits for the operator to look by itself") from None

    async def _reread(self, watch: BundleWatch) -> BundleWatch:
        """The newest state; while the cluster is away the last one, with a word on it."""
        try:
            fresh = await self.watched.read()
        except ClusterUnavailable as error:
            if not self._silent:
                self.tell_trouble(f"{error}; trying on")
            self._silent = True
            return watch
        if self._silent:
            self.tell_trouble("the Kubernetes API answers again")
        self._silent = False
        if self.ask and fresh.uid != watch.uid:  # made anew, and nobody has asked this one
            await self._ask()
        return fresh

    def _looked(self, watch: BundleWatch, before: Status, *, waited_s: float) -> bool | None:
        if self.ask:
            return answered(watch, self._asked)
        late = waited_s > watch.spec.interval_s + _LATE_S
        return True if late or news(before, watch.status) else None

    def _tell(self, progress: Progress) -> None:
        lines = progress.lines
        if progress.ending is not None:
            lines = (*lines, Line(None, progress.reason, progress.message))
        for line in lines:
            if self._told.get(line.application) != line:
                self._told[line.application] = line
                self.tell(line)


def _unheard(progress: Progress) -> Progress:
    """The same when time is up; where no look was heard of, with what to check."""
    if progress.reason != NOT_LOOKED or UNHEARD in progress.message:
        return progress
    return replace(progress, message=f"{progress.message}; {UNHEARD}")
