"""Work by key, in lanes: one at a time a key, a bounded number at a time a lane.

A lane is a registry host, so that one that hangs fills its own lane and no other. A key that is submitted
while it runs runs once more afterwards: what it missed is not lost, and what came ten times is done once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class _Lane(Generic[K]):
    def __init__(self) -> None:
        self.waiting: deque[K] = deque()
        self.running = 0


class Lanes(Generic[K]):
    """Runs `work(key)`; it must not raise. `width`: how many of one lane run at once."""

    def __init__(self, work: Callable[[K], Awaitable[None]], *, width: int) -> None:
        self._work = work
        self._width = width
        self._lanes: dict[str, _Lane[K]] = {}
        self._waiting: set[K] = set()
        self._running: set[K] = set()
        self._again: dict[K, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def submit(self, key: K, *, lane: str) -> None:
        if self._closed or key in self._waiting:
            return
        if key in self._running:
            self._again[key] = lane
            return
        self._waiting.add(key)
        room = self._lanes.setdefault(lane, _Lane())
        room.waiting.append(key)
        self._start(lane, room)

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._running

    async def close(self, *, grace_s: float) -> None:
        """Take no more work, forget what waits, let what runs finish for `grace_s`, then cancel it."""
        self._closed = True
        self._waiting.clear()
        self._again.clear()
        for room in self._lanes.values():
            room.waiting.clear()
        if self._tasks and grace_s > 0:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, lane: str, room: _Lane[K]) -> None:
        while room.waiting and room.running < self._width:
            key = room.waiting.popleft()
            self._waiting.discard(key)
            self._running.add(key)
            room.running += 1
            task = asyncio.create_task(self._run(key, lane, room))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, key: K, lane: str, room: _Lane[K]) -> None:
        try:
            await self._work(key)
        except Exception:
            logger.exception("work on %s failed in a way nobody expected", key)
        finally:
            self._running.discard(key)
            room.running -= 1
            again = self._again.pop(key, None)
            if again is not None:
                self.submit(key, lane=again)
            self._start(lane, room)
            if not room.running and not room.waiting:
                self._lanes.pop(lane, None)
