"""Who is due when: one heap of due times with lazy deletion. Knows no clock: the caller says what time it is.

Jitter is a stable fraction made from the key, so that restarts do not line up what was spread before, and so
that two runs of the same objects behave alike.
"""

import hashlib
import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Schedule(Generic[K]):
    """At most one due time a key; all times in seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, int]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    def set(self, key: K, due: float) -> None:
        """Make `due` the key's one due time, sooner or later than before."""
        self._count += 1
        self._due[key] = (due, self._count)
        heapq.heappush(self._heap, (due, self._count, key))
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._due):
            self._heap = [(when, count, which) for which, (when, count) in self._due.items()]
            heapq.heapify(self._heap)

    def set_earlier(self, key: K, due: float) -> None:
        """As `set`, but never later than what was planned."""
        planned = self._due.get(key)
        if planned is None or due < planned[0]:
            self.set(key, due)

    def discard(self, key: K) -> None:
        self._due.pop(key, None)

    def pop_due(self, *, now: float) -> list[K]:
        """The keys due by `now`, in order of their times; they are scheduled no more."""
        due: list[K] = []
        while self._heap and self._heap[0][0] <= now:
            when, count, key = heapq.heappop(self._heap)
            if self._due.get(key) == (when, count):
                del self._due[key]
                due.append(key)
        return due

    def next_due(self) -> float | None:
        """When somebody is due next; None: nobody is scheduled."""
        while self._heap:
            when, count, key = self._heap[0]
            if self._due.get(key) == (when, count):
                return when
            heapq.heappop(self._heap)
        return None


def stable_fraction(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts and on nothing else."""
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def next_interval_s(interval_s: float, *, key: str, turn: int) -> float:
    """The interval, give or take 5 %: the same key and turn always give the same."""
    return interval_s * (0.95 + 0.1 * stable_fraction(key, str(turn)))


def backoff_s(failures: int, *, interval_s: float, key: str) -> float:
    """The pause after the nth failure in a row: 5 s doubling to the larger of interval and 2 min, jittered.

    Full jitter in the upper half only: never at once, and never all together.
    """
    ceiling = max(interval_s, 120.0)
    whole = min(ceiling, 5.0 * 2.0 ** min(max(failures, 1) - 1, 20))
    return whole * (0.5 + 0.5 * stable_fraction(key, str(failures)))
